package verdict

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/gauge"
	"github.com/dovetail-sh/dovetail/bench/arena/match"
)

// results are of one play, in which we are faster and the reference takes less memory.
func results() match.Results {
	run := func(c contestant.Contestant, all float64, memory int64) match.Result {
		m := gauge.Measures{
			Pods:       60,
			HalfRun:    all / 2,
			MostRun:    all - 1,
			AllRun:     all,
			Dollars:    1.1,
			Bound:      1,
			PeakMemory: memory,
			Seconds:    100,
		}
		for i := range 100 {
			m.Timeline = append(
				m.Timeline,
				gauge.Point{At: float64(i), Wanted: 60, Running: min(60, i), Nodes: 2, Rate: 4, Bound: 3.5},
			)
		}
		return match.Result{
			Play: "four", About: "Pods come.", Contestant: c.Name, Controller: c.Controller, Policy: c.Policy,
			Settings: "own", Measures: m,
		}
	}
	return match.Results{
		Began: "2026-12-01T05:20:00Z", Took: 90, Seed: 1, Machine: match.Machine{CPU: "a processor", Cores: 2},
		Versions: map[string]string{"Go": "go1"},
		Runs:     []match.Result{run(contestant.All[0], 20, 200<<20), run(contestant.All[1], 44, 150<<20)},
		Skipped:  []string{"day to dovetail: no time is left"},
	}
}

// The page says where the reference wins, shows plots that are there, and is the same each time.
func TestThePage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "arena.md")
	var before []byte
	for range 2 {
		if err := WritePage(file, results()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !bytes.Equal(before, text) {
			t.Error("the page is another one each time")
		}
		before = text
	}
	page := string(before)
	lost, won, found := strings.Cut(page, "## Where Dovetail wins")
	if !found || !strings.Contains(lost, "peak memory: 150 MiB against 200 MiB (1.33 times)") {
		t.Errorf("where Karpenter wins is not said:\n%s", lost)
	}
	if !strings.Contains(won, "time until all pods run: 20.0 s against 44.0 s (2.20 times)") {
		t.Errorf("where Dovetail wins is not said:\n%s", won)
	}
	for _, want := range []string{
		"2026-12-01", "2 cores", "## Not run", "day to dovetail", "| All run | 20.0 s | 44.0 s |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for _, name := range []string{"arena-four-own-running.svg", "arena-four-own-price.svg"} {
		if !strings.Contains(page, "(pictures/"+name+")") {
			t.Errorf("the page does not show %s", name)
		}
		picture, err := os.ReadFile(filepath.Join(dir, "pictures", name))
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, name, picture)
	}
}

func wellFormed(t *testing.T, name string, picture []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(picture))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestResultsAreKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results.json")
	if err := Save(file, results()); err != nil {
		t.Fatal(err)
	}
	read, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(Print(&a, results()), Print(&b, read)); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() || !strings.Contains(a.String(), "karpenter-underutilized wins: peak memory") {
		t.Errorf("printed\n%s\nand from the file\n%s", a.String(), b.String())
	}
}

// What failed is no victory, and less than the noise is none either.
func TestNoVictoryWithoutAFight(t *testing.T) {
	t.Parallel()
	r := results()
	r.Runs[1].Failed = "pods did not run"
	if got := bouts(r)[0].wins(); len(got) > 0 {
		t.Errorf("won against a run that failed: %+v", got)
	}
	r = results()
	r.Runs[1].Measures = r.Runs[0].Measures
	r.Runs[1].AllRun *= 1 + even/2
	if got := bouts(r)[0].wins(); len(got) > 0 {
		t.Errorf("noise is a victory: %+v", got)
	}
}
