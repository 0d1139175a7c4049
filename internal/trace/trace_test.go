package trace_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/internal/trace"
)

const small = `pod_id,submit_s,end_s,cpu_milli,memory_mib,gpu_milli,extra
early,0,100,1000,2048,0,group=7;prio=low
late,200,,500,64.5,0,
ended,0,50,1000,1024,0,
ends-now,0,60,1000,1024,0,
gpu,10,,250,128,1500,group=8
`

func asked(pods []*corev1.Pod) map[string]string {
	out := map[string]string{}
	for _, p := range pods {
		r := p.Spec.Containers[0].Resources.Requests
		g := r["nvidia.com/gpu"]
		out[p.Name] = r.Cpu().String() + " " + r.Memory().String() + " " + g.String()
	}
	return out
}

func TestWhoIsAlive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options trace.Options
		want    map[string]string
	}{
		"at a moment": {trace.Options{At: 60}, map[string]string{"early": "1 2Gi 0", "gpu": "250m 128Mi 2"}},
		"at the start": {trace.Options{}, map[string]string{"early": "1 2Gi 0", "ended": "1 1Gi 0",
			"ends-now": "1 1Gi 0"}},
		"first of them": {trace.Options{At: 60, Pods: 1}, map[string]string{"early": "1 2Gi 0"}},
		"more cores": {trace.Options{At: 1000, CPUMultiplier: 2.5},
			map[string]string{"late": "1250m 66048Ki 0", "gpu": "625m 128Mi 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pods, err := trace.Parse(strings.NewReader(small), c.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, asked(pods)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGzipIsTheSame(t *testing.T) {
	t.Parallel()
	plain, err := trace.Parse(strings.NewReader(small), trace.Options{At: 60})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := trace.Parse(strings.NewReader(zipped(t, small)), trace.Options{At: 60})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asked(plain), asked(pods)); diff != "" {
		t.Errorf("-plain +gzip\n%s", diff)
	}
}

func TestWrongTracesAreNamedByLineAndColumn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "the file is empty",
		"pod_id,submit_s\nx,1\n": "no column end_s",
		strings.Replace(small, "2048", "lots", 1):      `line 2: column memory_mib is "lots"`,
		strings.Replace(small, "ends-now", "early", 1): `line 5: column pod_id is "early"`,
		strings.Replace(small, "early,0,100", "early,1",
			1): "wrong number of fields",
		"pod_id,submit_s,end_s,cpu_milli,memory_mib\n": "there are no " +
			"pods in it, only a header",
		"pod_id,submit_s,end_s,cpu_milli,memory_mib\na,1600000,1700000,1,1\nb,1500000,1600000,1,1\n": "no pod is " +
			"alive at second 0; the trace goes from second 1500000 to 1700000: choose another moment with --at",
		zipped(t, small)[:60]: "the gzip file ends in its middle",
	} {
		if _, err := trace.Parse(
			strings.NewReader(text),
			trace.Options{},
		); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}
