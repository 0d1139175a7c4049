package view

import (
	"fmt"
	"strings"
	"testing"
)

func TestNodesThatStayForTheSameReasonShareALine(t *testing.T) {
	t.Parallel()
	m := Moves{}
	for i := range 500 {
		m.Stay = append(m.Stay, Stay{Node: fmt.Sprintf("n%03d", i), Why: "the budgets let no further node go now"})
	}
	m.Stay = append(m.Stay, Stay{Node: "other", Why: "a reason of its own"})
	var b strings.Builder
	if err := m.Table(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"n000 and 499 more   the budgets let no further node go now\n",
		"other               a reason of its own\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	m.Stay = m.Stay[:40]
	b.Reset()
	if err := m.Table(&b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "the budgets let no further node go now"); n != 40 {
		t.Errorf("%d of 40 nodes are named", n)
	}
}
