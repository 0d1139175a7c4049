// Package trace reads workload traces: which pods are alive at one moment.
//
// A trace is CSV with a header, plain or gzip, with the columns pod_id, submit_s, end_s, cpu_milli
// and memory_mib, and optionally gpu_milli and extra (key=value joined by ";"), in any order. Times
// are seconds from the start; an empty end_s is a pod that outlives the trace. Errors name the line
// and the column.
package trace

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	namespace = "default"
	mebibyte  = 1 << 20

	// gpu is what a trace's GPUs are asked for as; parts of one are rounded up.
	gpu corev1.ResourceName = "nvidia.com/gpu"

	// largest is the most of anything that one pod can ask for: far more than any machine has.
	largest = 1e12
)

// Options choose the moment and the pods.
type Options struct {
	// At is in seconds from the start of the trace. Alive is who came at or before it and ends after it.
	At float64

	// Pods is how many to take, the first ones in the file; 0 for all.
	Pods int

	// CPUMultiplier turns the trace's cores into the cluster's; 0 means 1.
	CPUMultiplier float64
}

// Read reads a file.
func Read(file string, o Options) ([]*corev1.Pod, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading a trace: %w", err)
	}
	defer f.Close()
	pods, err := Parse(f, o)
	if err != nil {
		return nil, fmt.Errorf("reading trace %s: %w", file, err)
	}
	return pods, nil
}

// Parse reads a trace. No pods at that moment are an error.
func Parse(r io.Reader, o Options) ([]*corev1.Pod, error) {
	plain, err := unzip(r)
	if err != nil {
		return nil, err
	}
	rows := csv.NewReader(plain)
	rows.ReuseRecord = true
	header, err := next(rows)
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; want a header with pod_id,submit_s,end_s,cpu_milli,memory_mib")
	}
	if err != nil {
		return nil, err
	}
	t := table{options: o, columns: columnsOf(header), names: map[string]bool{}}
	if t.options.CPUMultiplier == 0 {
		t.options.CPUMultiplier = 1
	}
	for _, name := range []string{"pod_id", "submit_s", "end_s", "cpu_milli", "memory_mib"} {
		if _, ok := t.columns[name]; !ok {
			return nil, fmt.Errorf(
				"the header has no column %s; want pod_id,submit_s,end_s,cpu_milli,memory_mib[,gpu_milli,extra]",
				name,
			)
		}
	}
	var pods []*corev1.Pod
	for o.Pods == 0 || len(pods) < o.Pods {
		row, err := next(rows)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		pod, err := t.pod(row)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if pod != nil {
			pods = append(pods, pod)
		}
	}
	if len(pods) == 0 {
		return nil, t.nobody()
	}
	return pods, nil
}

// next reads a row. At the end the error is io.EOF.
func next(rows *csv.Reader) ([]string, error) {
	row, err := rows.Read()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("the gzip file ends in its middle; fetch it again")
	}
	return row, err
}

// unzip looks at the content, not at the name.
func unzip(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	magic, err := b.Peek(2)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return b, nil // too short for gzip is for the CSV reader to judge
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("unpacking gzip: %w", err)
	}
	return z, nil
}

func columnsOf(header []string) map[string]int {
	out := make(map[string]int, len(header))
	for i, name := range header {
		out[strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))] = i
	}
	return out
}

type table struct {
	options Options
	columns map[string]int
	names   map[string]bool

	pods        int
	first, last float64 // when the first pod comes and the last one comes or ends
}

// nobody says where in the trace there are pods.
func (t *table) nobody() error {
	if t.pods == 0 {
		return errors.New("there are no pods in it, only a header")
	}
	at := func(second float64) string { return strconv.FormatFloat(second, 'f', -1, 64) }
	return fmt.Errorf(
		"no pod is alive at second %s; the trace goes from second %s to %s: choose another moment with --at",
		at(t.options.At),
		at(t.first),
		at(t.last),
	)
}

// pod is nil for who is not alive.
func (t *table) pod(row []string) (*corev1.Pod, error) {
	numbers := map[string]float64{}
	for _, column := range []string{"submit_s", "end_s", "cpu_milli", "memory_mib", "gpu_milli"} {
		i, ok := t.columns[column]
		if !ok || row[i] == "" && (column == "end_s" || column == "gpu_milli") {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(row[i]), 64)
		if err != nil || math.IsNaN(v) || v < 0 || v > largest {
			return nil, fmt.Errorf("column %s is %q; want a number from 0 to 1e12", column, row[i])
		}
		numbers[column] = v
	}
	end, ends := numbers["end_s"]
	if t.pods++; t.pods == 1 || numbers["submit_s"] < t.first {
		t.first = numbers["submit_s"]
	}
	t.last = max(t.last, end, numbers["submit_s"])
	if numbers["submit_s"] > t.options.At || ends && end <= t.options.At {
		return nil, nil
	}
	name := strings.Clone(row[t.columns["pod_id"]])
	if name == "" || t.names[name] {
		return nil, fmt.Errorf(
			"column pod_id is %q, which is empty or there twice; want a name of its own for every pod",
			name,
		)
	}
	t.names[name] = true
	return t.newPod(name, numbers, row), nil
}

func (t *table) newPod(name string, numbers map[string]float64, row []string) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = namespace, name
	if i, ok := t.columns["extra"]; ok && row[i] != "" {
		pod.Labels = map[string]string{}
		for pair := range strings.SplitSeq(row[i], ";") {
			if key, value, ok := strings.Cut(pair, "="); ok {
				pod.Labels[strings.Clone(key)] = strings.Clone(value)
			}
		}
	}
	requests := corev1.ResourceList{
		corev1.ResourceCPU: *resource.NewMilliQuantity(
			int64(math.Ceil(numbers["cpu_milli"]*t.options.CPUMultiplier)), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(int64(math.Ceil(numbers["memory_mib"]*mebibyte)),
			resource.BinarySI),
	}
	if n := numbers["gpu_milli"]; n > 0 {
		requests[gpu] = *resource.NewQuantity(int64(math.Ceil(n/1000)), resource.DecimalSI)
	}
	pod.Spec.Containers = []corev1.Container{
		{Name: "main", Resources: corev1.ResourceRequirements{Requests: requests, Limits: limitsOf(requests)}},
	}
	return pod
}

// limitsOf repeats what must not be asked for without a limit: devices.
func limitsOf(requests corev1.ResourceList) corev1.ResourceList {
	q, ok := requests[gpu]
	if !ok {
		return nil
	}
	return corev1.ResourceList{gpu: q}
}
