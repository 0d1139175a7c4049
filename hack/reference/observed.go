package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

func flagsPage() string {
	var b strings.Builder
	b.WriteString("# Flags of `dovetail controller`\n\n" + made +
		"\nEvery flag has an environment variable; the flag wins where both are given.\n\n")
	table(&b, "Flag", "Variable", "Default", "Meaning")
	set := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	(&config.Config{}).AddFlags(set)
	set.VisitAll(func(f *pflag.Flag) {
		value := f.DefValue
		if value == "" {
			value = `""`
		}
		row(&b, code("--"+f.Name), code(config.Variable(f.Name)), code(value), sentence(f.Usage))
	})
	return b.String()
}

func metricsPage() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\n" + made + "\nThe controller serves them at `/metrics` on `--metrics-port`.\n\n")
	table(&b, "Metric", "Type", "Labels", "Meaning")
	for _, m := range observe.NewMetrics().Table() {
		row(&b, code(m.Name), string(m.Kind), codes(m.Labels), sentence(m.Doc))
	}
	return b.String()
}

func eventsPage() string {
	var b strings.Builder
	b.WriteString("# Events\n\n" + made + `
Every is how long a further event of the reason about the same object and cause is kept back. A condition that changes is
told with an event too: its reason is the type of the [condition](conditions.md).

`)
	table(&b, "Reason", "Type", "About", "Every", "At most", "Meaning")
	reasons := observe.Reasons()
	slices.SortStableFunc(reasons, func(a, b observe.Reason) int { return strings.Compare(a.Name+a.On, b.Name+b.On) })
	for _, r := range reasons {
		most := ""
		if r.PerSecond > 0 {
			most = fmt.Sprintf("%g a second, %d at once", r.PerSecond, r.Burst)
		}
		row(&b, code(r.Name), r.Type, cell(r.On), short(r.Every), most, sentence(r.Doc))
	}
	return b.String()
}

// short is a duration without the zeros that Go writes: "5m" and not "5m0s".
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
