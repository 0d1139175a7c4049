package gauge

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticks are how many a second has in /proc: always 100 on Linux.
const ticks = 100

// Process is what a process has used so far.
type Process struct {
	CPU        float64 // seconds, in user and kernel mode
	PeakMemory int64   // bytes resident, at most
}

// OfProcess asks the kernel about a process. Where there is no /proc it knows nothing and says so.
func OfProcess(pid int) (Process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, fmt.Errorf("asking about process %d: %w", pid, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Process{}, fmt.Errorf("asking about process %d: %w", pid, err)
	}
	return parseProcess(stat, status)
}

// parseProcess reads what proc(5) describes. The name of the program, in brackets, may hold anything.
func parseProcess(stat, status []byte) (Process, error) {
	_, rest, found := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(" "))
	fields := strings.Fields(string(rest))
	const user, kernel = 11, 12 // the 14th and 15th field; rest begins with the third
	if !found || len(fields) <= kernel {
		return Process{}, fmt.Errorf("%q is no line of /proc/PID/stat", stat)
	}
	var p Process
	for _, i := range []int{user, kernel} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return Process{}, fmt.Errorf("reading the time of a process: %w", err)
		}
		p.CPU += float64(n) / ticks
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if name != "VmHWM" {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return Process{}, fmt.Errorf("reading the memory of a process: %w", err)
		}
		p.PeakMemory = kib << 10
	}
	return p, nil
}
