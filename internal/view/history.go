package view

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// History is every claim that is known of, those that are gone among them, oldest first.
type History struct {
	Header
	At      time.Time `json:"at"`
	Source  string    `json:"source"`
	Lives   []Life    `json:"lives"`
	Missing []string  `json:"missing,omitempty"`
}

// Life is what a claim was, from its creation to its end. Times that have not come, or of which nobody heard, are zero.
type Life struct {
	UID   string `json:"uid"`
	Claim string `json:"claim"`
	Pool  string `json:"pool,omitempty"`

	Created     time.Time `json:"created,omitzero"`
	Launched    time.Time `json:"launched,omitzero"`
	Registered  time.Time `json:"registered,omitzero"`
	Initialized time.Time `json:"initialized,omitzero"`
	Chosen      time.Time `json:"chosen,omitzero"`      // to be given up, or its machine was taken away
	Deleting    time.Time `json:"deleting,omitzero"`    // its deletion began
	Drained     time.Time `json:"drained,omitzero"`     // its machine was being ended
	Gone        time.Time `json:"gone,omitzero"`        // it was not there any more
	Interrupted time.Time `json:"interrupted,omitzero"` // the cloud said that it takes the machine away

	Types        []string `json:"types,omitempty"` // that it asked for, cheapest first where a plan made it
	InstanceType string   `json:"instanceType,omitempty"`
	Zone         string   `json:"zone,omitempty"`
	CapacityType string   `json:"capacityType,omitempty"`
	ProviderID   string   `json:"providerID,omitempty"`
	Node         string   `json:"node,omitempty"`
	Price        PerHour  `json:"plannedPerHour"` // what its plan reckoned; 0 for a claim that no plan made

	Came     string   `json:"came,omitempty"`   // why, in one clause
	Reason   string   `json:"reason,omitempty"` // why it went, as metrics name it: empty, spot_interrupted
	Went     string   `json:"went,omitempty"`   // the same in one clause
	Replaces []string `json:"replaces,omitempty"`
	Instead  []string `json:"replacedBy,omitempty"`
	Evicted  int      `json:"evicted,omitempty"` // pods on it when its deletion began, but for those of the node itself
	Marks    []string `json:"taints,omitempty"`  // taints that its end brought
	Deadline string   `json:"deadline,omitempty"`
}

// interruptions are the reasons for which somebody takes a machine away.
var interruptions = map[string]bool{
	"spot_interrupted":                 true,
	"instance_stopped":                 true,
	"instance_terminated":              true,
	"scheduled_change":                 true,
	"instance_status":                  true,
	"system_status":                    true,
	"capacity_reservation_interrupted": true,
	"capacity_reservation_expiration":  true,
}

// Taken reports whether the machine was taken away, by its cloud or by hand.
func (l *Life) Taken() bool { return interruptions[l.Reason] }

// Sentence is the claim's life in one sentence, for events.
func (l *Life) Sentence() string {
	what := l.Claim
	if l.InstanceType != "" {
		what += fmt.Sprintf(" (%s in %s, %s)", l.InstanceType, l.Zone, l.CapacityType)
	}
	text := fmt.Sprintf("%s was here for %s", what, span(l.Created, l.Gone).Round(time.Second))
	if l.Came != "" {
		text += ": it came " + l.Came
	}
	if l.Went != "" {
		text += ", and went because " + l.Went
	}
	return text + "."
}

func span(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(to.Sub(from), 0)
}

// Table writes the lives for people.
func (h *History) Table(w io.Writer, width int) error {
	t := &lines{}
	rows := [][]string{{"CREATED (UTC)", "CLAIM", "POOL", "TYPE", "ZONE", "CAPACITY", "LIVED", "STATE", "CAME", "WENT"}}
	for i := range h.Lives {
		l := &h.Lives[i]
		until, state := h.At, "here"
		switch {
		case !l.Gone.IsZero():
			until, state = l.Gone, "gone"
		case !l.Deleting.IsZero():
			state = "going"
		}
		rows = append(
			rows,
			[]string{
				l.Created.UTC().Format(time.DateTime),
				l.Claim,
				dash(l.Pool),
				dash(l.InstanceType),
				dash(l.Zone),
				dash(l.CapacityType),
				Age(l.Created, until),
				state,
				dash(l.Came),
				dash(l.Went),
			},
		)
	}
	if len(h.Lives) > 0 {
		t.grid(width, rows...)
	} else {
		t.WriteString("no claims are known of\n")
	}
	for _, m := range h.Missing {
		fmt.Fprintf(t, "missing: %s\n", m)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// historyColumns are those of awslabs' parser of Karpenter's logs, in its order; spreadsheets and dashboards know them.
var historyColumns = []struct {
	title string
	of    func(*Life) string
}{
	{"Nodeclaim", func(l *Life) string { return l.Claim }},
	{"Createdtime", func(l *Life) string { return milli(l.Created) }},
	{"Nodepool", func(l *Life) string { return l.Pool }},
	{"Instancetypes", func(l *Life) string { return typeList(l.Types) }},
	{"Launchedtime", func(l *Life) string { return milli(l.Launched) }},
	{"Providerid", func(l *Life) string { return l.ProviderID[strings.LastIndex(l.ProviderID, "/")+1:] }},
	{"Instancetype", func(l *Life) string { return l.InstanceType }},
	{"Zone", func(l *Life) string { return l.Zone }},
	{"Capacitytype", func(l *Life) string { return l.CapacityType }},
	{"Registeredtime", func(l *Life) string { return milli(l.Registered) }},
	{"K8snodename", func(l *Life) string { return l.Node }},
	{"Initializedtime", func(l *Life) string { return milli(l.Initialized) }},
	{"Nodereadytime", func(l *Life) string { return span(l.Created, l.Initialized).String() }},
	{"Nodereadytimesec", func(l *Life) string { return secondsOf(span(l.Created, l.Initialized)) }},
	{"Disruptiontime", func(l *Life) string { return l.chosen(milli(first(l.Chosen, l.Deleting))) }},
	{"Disruptionreason", func(l *Life) string { return l.chosen(l.Reason) }},
	{"Disruptiondecision", func(l *Life) string { return l.chosen(l.decision()) }},
	{"Disruptednodecount", func(l *Life) string { return l.chosen("1") }},
	{"Replacementnodecount", func(l *Life) string { return l.chosen(strconv.Itoa(len(l.Instead))) }},
	{"Disruptedpodcount", func(l *Life) string { return l.chosen(strconv.Itoa(l.Evicted)) }},
	{"Savings", func(*Life) string { return "" }}, // of a move of several nodes: no claim's own
	{"Replacedby", func(l *Life) string { return strings.Join(l.Instead, "|") }},
	{"Replaces", func(l *Life) string { return strings.Join(l.Replaces, "|") }},
	{"Annotationtime", func(l *Life) string {
		if l.Deadline == "" {
			return ""
		}
		return milli(l.Deleting)
	}},
	{"Annotation", func(l *Life) string { return l.Deadline }},
	{"Tainttime", func(l *Life) string {
		if len(l.Marks) == 0 {
			return ""
		}
		return milli(first(l.Chosen, l.Deleting))
	}},
	{"Taint", func(l *Life) string { return strings.Join(l.Marks, "|") }},
	{"Interruptiontime", func(l *Life) string { return milli(l.Interrupted) }},
	{"Interruptionkind", func(l *Life) string {
		if !l.Taken() {
			return ""
		}
		return l.Reason
	}},
	{"Deletedtime", func(l *Life) string { return milli(l.Gone) }},
	{"Nodeterminationtime", func(l *Life) string { return span(l.Deleting, l.Gone).String() }},
	{"Nodeterminationtimesec", func(l *Life) string { return secondsOf(span(l.Deleting, l.Gone)) }},
	{"Nodelifecycletime", func(l *Life) string { return span(l.Created, l.Gone).String() }},
	{"Nodelifecycletimesec", func(l *Life) string { return secondsOf(span(l.Created, l.Gone)) }},
	{"Initialized", func(l *Life) string { return strconv.FormatBool(!l.Initialized.IsZero()) }},
	{"Deleted", func(l *Life) string { return strconv.FormatBool(!l.Gone.IsZero()) }},
}

// chosen is a text about a decision to give a claim up; nothing where its machine was taken away, or it is still there.
func (l *Life) chosen(text string) string {
	if l.Reason == "" || l.Taken() {
		return ""
	}
	return text
}

func (l *Life) decision() string {
	if len(l.Instead) > 0 {
		return "replace"
	}
	return "delete"
}

func first(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func milli(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func secondsOf(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// mostListed is how many types the parser names.
const mostListed = 5

func typeList(types []string) string {
	types = slices.Sorted(slices.Values(types))
	if more := len(types) - mostListed; more > 0 {
		types = append(types[:mostListed:mostListed], fmt.Sprintf("and%dothers", more))
	}
	return strings.Join(types, "|")
}

// CSV writes one line for each claim with the columns of awslabs' parser of Karpenter's logs.
func (h *History) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	row := make([]string, len(historyColumns))
	for i, c := range historyColumns {
		row[i] = fmt.Sprintf("%s[%d]", c.title, i+1)
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for k := range h.Lives {
		for i, c := range historyColumns {
			row[i] = c.of(&h.Lives[k])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
