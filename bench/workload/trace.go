package workload

import (
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

const traceRegion = "us-east-1"

// Cut says which machines of the trace become pods, and what market there is for them.
type Cut struct {
	At    float64 // the second of the trace at which they live
	Skip  int     // how many of them are left out first
	Count int     // how many of the rest are taken

	// CoresToVCPU turns the trace's physical cores into EC2's vCPUs, which are threads.
	CoresToVCPU int64

	// Categories are those of the instance types, c, m and r for instance.
	Categories []string
}

// FirstCut is the usual one: the first machines that live at second 600,000, two vCPUs for a core, c, m and r types.
func FirstCut(count int) Cut {
	return Cut{At: 600_000, Count: count, CoresToVCPU: 2, Categories: []string{"c", "m", "r"}}
}

// Trace takes machines of the trace as pods and on-demand types of us-east-1 as the market. An absent file is
// fs.ErrNotExist.
func Trace(file string, cut Cut) (Workload, error) {
	w := Workload{
		Name:  fmt.Sprintf("trace-%d", cut.Count),
		Types: onDemand(traceRegion, cut.Categories...),
		Requirements: []shape.Requirement{
			{Key: shape.LabelCapacityType, Values: []string{shape.OnDemand}},
		},
	}
	f, err := os.Open(file)
	if err != nil {
		return w, fmt.Errorf("opening the trace: %w", err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return w, fmt.Errorf("reading trace %s: %w", file, err)
	}
	rows := csv.NewReader(unzipped)
	if _, err := rows.Read(); err != nil { // the header
		return w, fmt.Errorf("reading the header of trace %s: %w", file, err)
	}
	for alive := 0; len(w.Pods) < cut.Count; {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return w, fmt.Errorf("reading trace %s: %w", file, err)
		}
		if pod, ok := cut.pod(len(w.Pods), row); ok {
			if alive++; alive > cut.Skip {
				w.Pods = append(w.Pods, pod)
			}
		}
	}
	return w, nil
}

func (c *Cut) pod(i int, row []string) (pod *corev1.Pod, alive bool) {
	number := func(column int, otherwise float64) float64 {
		v, err := strconv.ParseFloat(row[column], 64)
		if err != nil {
			return otherwise
		}
		return v
	}
	if number(1, 0) > c.At || number(2, c.At+1) <= c.At {
		return nil, false
	}
	return newPod(i, nil, corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(c.CoresToVCPU*int64(number(3, 0)), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(int64(number(4, 0))*mebibyte, resource.BinarySI),
	}), true
}

// onDemand is the catalogue's market of some instance categories, without bare metal. 100m and 10Mi are kept for the
// system.
func onDemand(region string, categories ...string) []*shape.InstanceType {
	var types []*shape.InstanceType
	for _, t := range catalog.Types() {
		letters := strings.TrimRight(strings.SplitN(t.Name, ".", 2)[0], "abcdefghijklmnopqrstuvwxyz-")
		category := strings.TrimRight(letters, "0123456789")
		price, sold := catalog.OnDemand(region, t.Name)
		if !sold || t.Bare || !slices.Contains(categories, category) {
			continue
		}
		capacity := shape.Vector{CPU: 1000 * int64(t.VCPU), Memory: t.MemoryMiB * mebibyte, Pods: 110}
		arch := map[string]string{catalog.X8664: "amd64", catalog.ARM64: "arm64"}[t.Arch]
		it := &shape.InstanceType{
			Name:        t.Name,
			Capacity:    capacity,
			Allocatable: capacity.Sub(shape.Vector{CPU: 100, Memory: 10 * mebibyte}),
			Requirements: []shape.Requirement{
				{Key: shape.LabelCapacityType, Values: []string{shape.OnDemand}},
				{Key: shape.LabelArch, Values: []string{arch}},
				{Key: shape.LabelOS, Values: []string{"linux"}},
				{Key: shape.LabelInstanceType, Values: []string{t.Name}},
				{Key: shape.LabelZone, Values: []string{region + "a"}},
			},
			Offerings: []shape.Offering{
				{Zone: region + "a", CapacityType: shape.OnDemand, Price: shape.Money(price), Available: true},
			},
		}
		sortRequirements(it.Requirements)
		types = append(types, it)
	}
	slices.SortFunc(types, func(a, b *shape.InstanceType) int { return cmp.Compare(a.Name, b.Name) })
	return types
}
