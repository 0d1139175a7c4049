package compare

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

const absent = "-"

// table prints the rows as Markdown that is aligned for reading too.
func table(out io.Writer, o Options, rows []Row) {
	fmt.Fprintln(out)
	tw := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	line := func(cells ...string) { fmt.Fprintln(tw, "| "+strings.Join(cells, "\t| ")+"\t|") }
	line(
		"workload",
		"runs",
		"pods/s ours",
		"peer",
		"ratio",
		"MB ours",
		"peer",
		"nodes ours",
		"peer",
		"$/h ours",
		"peer",
		"ours/peer",
		"ours/bound",
		"peer/bound",
	)
	line(strings.Split(strings.Repeat("---,", 13)+"---", ",")...)
	notRun := false
	for _, r := range rows {
		notRun = notRun || r.PeerRuns == 0
		line(r.Workload, fmt.Sprintf("%d / %d", r.OursRuns, r.PeerRuns),
			number("%.0f", r.OursPodsPerSecond), number("%.0f", r.PeerPodsPerSecond), number("%.0f", r.Ratio),
			number("%.1f", float64(r.OursBytes)/1e6), number("%.1f", float64(r.PeerBytes)/1e6),
			number("%.0f", float64(r.OursNodes)), number("%.0f", float64(r.PeerNodes)),
			number("%.3f", r.OursPrice), number("%.3f", r.PeerPrice),
			quotient(r.OursPrice, r.PeerPrice), quotient(r.OursPrice, r.Bound), quotient(r.PeerPrice, r.Bound))
	}
	tw.Flush()
	if notRun {
		fmt.Fprintf(
			out,
			"The peer was not run on workloads of more than %d pods: it takes minutes there. -peer-pods raises that.\n",
			o.PeerPods,
		)
	}
	for _, r := range rows {
		if r.OursUnplaced+r.PeerUnplaced > 0 {
			fmt.Fprintf(
				out,
				"%s: pods left without a node: ours %d, peer %d. Such a row compares different work.\n",
				r.Workload,
				r.OursUnplaced,
				r.PeerUnplaced,
			)
		}
	}
}

func number(format string, v float64) string {
	if v == 0 {
		return absent
	}
	return fmt.Sprintf(format, v)
}

func quotient(a, b float64) string {
	if a == 0 || b == 0 {
		return absent
	}
	return fmt.Sprintf("%.3f", a/b)
}

// machine says on what the figures were taken.
func machine() string {
	return fmt.Sprintf(
		"%s/%s, %s, %d CPUs (%s)",
		runtime.GOOS,
		runtime.GOARCH,
		runtime.Version(),
		runtime.GOMAXPROCS(0),
		cpuModel(),
	)
}

// cpuModel is the processor's name where the kernel tells it.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "model unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
			return strings.TrimLeft(name, "\t: ")
		}
	}
	return "model unknown"
}
