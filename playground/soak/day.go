package soak

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// size is what one pod of a Deployment asks for.
type size struct {
	group string
	milli int64
	mib   int64
}

// change is a Deployment's number of pods that becomes another.
type change struct {
	at   float64 // seconds since the day began
	name string
	by   int
}

// Day is one day of a trace as Deployments.
type Day struct {
	sizes   map[string]size
	first   map[string]int // replicas at the beginning
	changes []change       // ascending by time
}

const secondsOfDay = 86_400

// ReadDay takes one in every so many groups of a trace, for one day. The trace's cores are physical ones, of which
// each is two of EC2's.
func ReadDay(path string, day, oneIn int) (*Day, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a trace: %w", err)
	}
	defer file.Close() // it is only read
	plain, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("unpacking trace %s: %w", path, err)
	}
	rows := csv.NewReader(plain)
	if _, err := rows.Read(); err != nil {
		return nil, fmt.Errorf("reading the header of trace %s: %w", path, err)
	}
	d := &Day{sizes: map[string]size{}, first: map[string]int{}}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading trace %s: %w", path, err)
		}
		if err := d.add(row, float64(day*secondsOfDay), oneIn); err != nil {
			return nil, fmt.Errorf("reading trace %s: %w", path, err)
		}
	}
	if len(d.sizes) == 0 {
		return nil, fmt.Errorf("trace %s has nobody on day %d", path, day)
	}
	slices.SortStableFunc(d.changes, func(a, b change) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return d, nil
}

// add takes a row: pod_id, submit_s, end_s, cpu_milli, memory_mib, gpu_milli, extra.
func (d *Day) add(row []string, begins float64, oneIn int) error {
	if len(row) < 7 {
		return fmt.Errorf("pod %s has %d columns, want 7", row[0], len(row))
	}
	group, _, _ := strings.Cut(strings.TrimPrefix(row[6], "group="), ";")
	h := fnv.New32a()
	_, _ = h.Write([]byte(group)) // a hash takes everything
	if h.Sum32()%uint32(oneIn) != 0 {
		return nil
	}
	var n [4]float64
	for i := range n {
		if row[1+i] == "" {
			n[i] = begins + 2*secondsOfDay // it outlives the trace
			continue
		}
		v, err := strconv.ParseFloat(row[1+i], 64)
		if err != nil {
			return fmt.Errorf("pod %s: %q is no number", row[0], row[1+i])
		}
		n[i] = v
	}
	submit, end := n[0]-begins, n[1]-begins
	if submit >= secondsOfDay || end <= 0 {
		return nil
	}
	s := size{group: group, milli: int64(2 * n[2]), mib: int64(n[3])}
	name := fmt.Sprintf("g%s-%dm-%dmi", group, s.milli, s.mib)
	d.sizes[name] = s
	if submit <= 0 {
		d.first[name]++
	} else {
		d.changes = append(d.changes, change{submit, name, 1})
	}
	if end < secondsOfDay {
		d.changes = append(d.changes, change{end, name, -1})
	}
	return nil
}

// Deployment is one of a day's.
type Deployment struct {
	Name     string
	MilliCPU int64
	MiB      int64 // of memory
}

// Deployments are all of a day, ascending by name.
func (d *Day) Deployments() []Deployment {
	var out []Deployment
	for _, name := range sorted(d.sizes) {
		out = append(out, Deployment{name, d.sizes[name].milli, d.sizes[name].mib})
	}
	return out
}

// Replicas are how many pods each Deployment has when the day begins, and after each of so many equal parts of it.
func (d *Day) Replicas(parts int) []map[string]int {
	now := maps.Clone(d.first)
	out := []map[string]int{maps.Clone(now)}
	next := 0
	for part := 1; part <= parts; part++ {
		for ; next < len(d.changes) && d.changes[next].at < float64(part)*secondsOfDay/float64(parts); next++ {
			now[d.changes[next].name] += d.changes[next].by
		}
		out = append(out, maps.Clone(now))
	}
	return out
}
