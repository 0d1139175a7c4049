package checkup

import (
	"cmp"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Input is what is looked at.
type Input struct {
	simulate.Input
	Missing []string // kinds that could not be read
	Server  *Server  // what only a live server tells; nil for files
	Before  bool     // only what matters before Dovetail is installed
}

// check is one thing that is looked for.
type check struct {
	code, title string
	severity    string
	before      bool // matters before an installation, too
	find        func(in *Input) ([]found, error)
}

type found struct{ object, message, fix string }

const (
	failing = "error"   // something does not work
	warning = "warning" // something costs, or will not work some day
)

// ofServers is where the codes of what only a live server tells begin.
const ofServers = "DT500"

// checks are all that there are, ascending by code. A code never changes its meaning.
var checks = []check{
	{"DT101", "A NodePool's node class is missing", failing, false, missingClass},
	{"DT102", "A NodePool can launch nothing", failing, false, sellsNothing},
	{"DT103", "A NodePool's limit is zero", warning, false, zeroLimit},
	{"DT104", "A NodePool breaks a rule", failing, false, invalidPool},
	{"DT105", "A NodePool is not ready", failing, false, notReadyPool},
	{"DT111", "A node class is not ready", failing, false, notReadyClass},
	{"DT201", "A PodDisruptionBudget lets no pod go, ever", warning, false, guardWithoutRoom},
	{"DT202", "A pod has two PodDisruptionBudgets", warning, false, guardedTwice},
	{"DT301", "A NodePool's budgets never let a node go", warning, false, closedBudget},
	{"DT302", "A NodePool's budget cannot be read, or never begins", failing, false, brokenBudget},
	{"DT401", "Pods on a NodePool that consolidates ask for nothing", warning, false, withoutRequests},
	{"DT402", "A node has been starting for long", failing, false, stuckStarting},
	{"DT403", "A node has been draining for long", warning, false, stuckDraining},
	{"DT501", "Something may not be read", warning, true, unreadable},
	{"DT502", "A custom resource definition is missing or too old", failing, true, definitions},
	{"DT503", "A version that is not served is still stored", failing, true, storedVersions},
	{"DT601", "Two controllers lead at once", failing, false, twoWriters},
	{"DT602", "Another controller leads already", warning, true, otherWriter},
	{"DT603", "The clocks of server and client differ", warning, true, clocks},
}

// Codes lists all codes with their titles, ascending.
func Codes() (out [][2]string) {
	for _, c := range checks {
		out = append(out, [2]string{c.code, c.title})
	}
	return out
}

// Run looks for everything. The error is for what keeps a check from being made at all.
func Run(in Input) (*view.Checkup, error) {
	if in.Set == nil {
		in.Set = &manifest.Set{}
	}
	in.Lenient = true
	out := &view.Checkup{Header: view.HeaderOf("Checkup"), At: in.Now,
		Findings: []view.Finding{}}
	for _, c := range checks {
		if in.Before && !c.before || !in.Before && c.code == "DT602" || in.Server == nil && c.code >= ofServers {
			continue
		}
		out.Checked++
		list, err := c.find(&in)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			out.Findings = append(
				out.Findings,
				view.Finding{
					Code:     c.code,
					Severity: c.severity,
					Title:    c.title,
					Object:   f.object,
					Message:  f.message,
					Fix:      f.fix,
					Page:     "docs/checks/" + c.code + ".md",
				},
			)
		}
	}
	slices.SortStableFunc(out.Findings, func(a, b view.Finding) int {
		return cmp.Or(
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Object, b.Object),
		)
	})
	return out, nil
}

// age is how long ago something was; 0 if that is not known.
func age(now, since time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	return now.Sub(since)
}
