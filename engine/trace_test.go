package engine_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// trace is the public workload trace; see README.md beside it. Benchmarks on it are skipped without.
const trace = "../../shared/traces/azure-vm-2020-batched.csv.gz"

// traceSnapshot is the first pods that live at second 600000, with on-demand c, m and r types of one region.
func traceSnapshot(tb testing.TB, pods int) shape.Snapshot {
	tb.Helper()
	file, err := os.Open(trace)
	if err != nil {
		tb.Skipf("no trace to plan for: %v", err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	w := enginetest.NewWorld()
	addCatalogue(w)
	lines := bufio.NewScanner(plain)
	lines.Scan() // the header
	for n := 0; n < pods && lines.Scan(); {
		f := strings.Split(lines.Text(), ",")
		submit, _ := strconv.ParseFloat(f[1], 64)
		end, err := strconv.ParseFloat(f[2], 64)
		if submit > 600_000 || err == nil && end <= 600_000 {
			continue
		}
		cpu, _ := strconv.ParseInt(f[3], 10, 64)
		memory, _ := strconv.ParseInt(f[4], 10, 64)
		w.Pod(shape.PodID("default/"+f[0]), shape.Class{
			Namespace: "default", Requests: shape.Vector{CPU: 2 * cpu, Memory: memory << 20, Pods: 1},
		})
		n++
	}
	return w.Snapshot()
}

func addCatalogue(w *enginetest.World) {
	for _, t := range catalog.Offered("us-east-1") {
		price, sold := catalog.OnDemand("us-east-1", t.Name)
		if !sold || t.Bare || !strings.ContainsAny(t.Name[:1], "cmr") || t.GPU.Count > 0 || t.Name[1] < '0' ||
			t.Name[1] > '9' {
			continue
		}
		it := shape.InstanceType{
			Name:     t.Name,
			Capacity: shape.Vector{CPU: int64(t.VCPU) * 1000, Memory: t.MemoryMiB << 20, Pods: int64(t.ENIPods())},
		}
		it.Allocatable = it.Capacity
		it.Allocatable.CPU -= 100
		it.Allocatable.Memory -= 10 << 20
		for _, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
			it.Offerings = append(it.Offerings, shape.Offering{
				Zone: zone, CapacityType: shape.OnDemand, Price: shape.Money(price), Available: true,
			})
		}
		w.Type(it)
	}
}

func BenchmarkTrace(b *testing.B) {
	for _, pods := range []int{500, 2_000, 4_000} {
		b.Run(fmt.Sprintf("pods=%d/cmr", pods), func(b *testing.B) { benchmarkPlan(b, traceSnapshot(b, pods)) })
	}
}

func TestTracePriceIsNearItsBound(t *testing.T) {
	t.Parallel()
	s := traceSnapshot(t, 500)
	d := engine.Plan(s, engine.DefaultPolicy())
	if err := enginetest.Check(s, engine.DefaultPolicy(), d); err != nil {
		t.Fatal(err)
	}
	if float64(d.Price) > 1.01*float64(d.Bound) {
		t.Errorf(
			"price %s, bound %s: ratio %.4f, want at most 1.01", d.Price, d.Bound, float64(d.Price)/float64(d.Bound),
		)
	}
}
