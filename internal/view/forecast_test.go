package view

import (
	"fmt"
	"strings"
	"testing"
)

// However much changes, a plan fits a screen, and every node that goes is named.
func TestAPlanFitsAScreen(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 10, 500} {
		f := Forecast{Change: []string{"a"}, Anyway: &Totals{}}
		for i := range n {
			s := Step{
				Kind:   []string{"remove", "replace", "add"}[i%3],
				Reason: "Drifted",
				Round:  i,
				Change: PerHour(i - 250),
				GiveUp: []Machine{
					{Name: fmt.Sprintf("node-%03d", i), InstanceType: fmt.Sprintf("t%d", i), Pool: "web"},
				},
			}
			if i%3 > 0 {
				s.Open = []Node{{InstanceType: fmt.Sprintf("u%d", i), Pool: "web"}}
			}
			f.Steps = append(f.Steps, s)
			f.Totals.Remove++
			f.Unplaced = append(f.Unplaced, Unplaced{Pod: fmt.Sprint("p", i), Reasons: []string{"r"}})
			f.Waits = append(f.Waits, Stay{Node: fmt.Sprint("w", i), Why: fmt.Sprint("why ", i)})
			f.Notes = append(f.Notes, fmt.Sprint("note ", i))
		}
		var short, long strings.Builder
		if err := f.Text(&short, false); err != nil {
			t.Fatal(err)
		}
		if err := f.Text(&long, true); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(short.String(), "\n"); lines > 40 {
			t.Errorf("%d changes: %d lines\n%s", n, lines, short.String())
		}
		for i := range n {
			for _, text := range []string{short.String(), long.String()} {
				if !strings.Contains(text, fmt.Sprintf("node-%03d", i)) {
					t.Fatalf("%d changes: node-%03d goes without being named", n, i)
				}
			}
		}
		if n == 0 && !strings.HasPrefix(short.String(), "No changes.") {
			t.Error(short.String())
		}
		if n == 500 && (strings.Count(long.String(), "DEARER") < 80 || strings.Count(long.String(), "\n") < 500) {
			t.Errorf("-v cuts:\n%s", long.String())
		}
	}
}
