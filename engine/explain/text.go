package explain

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Text is the whole tree, one line for each group, indented by two spaces for each level.
func (t *Tree) Text() string {
	var b strings.Builder
	t.write(&b, "")
	return b.String()
}

func (t *Tree) write(b *strings.Builder, indent string) {
	b.WriteString(indent + t.Subject)
	switch {
	case indent == "":
		b.WriteString(" cannot be placed")
	case t.Noun != "" && t.Of > 0:
		fmt.Fprintf(b, ": %d %s, 0 left", t.Of, t.Noun)
	case t.Noun != "" && len(t.Groups) == 0:
		fmt.Fprintf(b, ": no %s", t.Noun)
	}
	b.WriteByte('\n')
	width := 0
	for _, g := range t.Groups {
		width = max(width, len(strconv.Itoa(g.Count)))
	}
	for _, g := range t.Groups {
		title, detail := Words(g.Reason)
		fmt.Fprintf(b, "%s  %*d %s", indent, width, g.Count, title)
		if detail != "" {
			b.WriteString(": " + detail)
		}
		b.WriteByte('\n')
	}
	for i := range t.Children {
		t.Children[i].write(b, indent+"  ")
	}
}

// Sentence is the tree in one line, for events and conditions.
func (t *Tree) Sentence() string {
	var parts []string
	for i := range t.Children {
		parts = append(parts, t.Children[i].clause())
	}
	if len(t.Groups) > 0 {
		parts = append(parts, t.groups())
	}
	return strings.Join(parts, "; ")
}

func (t *Tree) clause() string {
	if t.Of == 0 && len(t.Groups) == 0 {
		return t.Subject + ": no " + t.Noun
	}
	return t.Subject + ": " + t.groups()
}

func (t *Tree) groups() string {
	var words []string
	for _, g := range t.Groups {
		title, detail := Words(g.Reason)
		s := title
		if t.Of > 0 {
			s = strconv.Itoa(g.Count) + " " + title
		}
		if detail != "" {
			s += " (" + detail + ")"
		}
		words = append(words, s)
	}
	return strings.Join(words, ", ")
}

// plain are what reasons are called that have no detail.
var plain = map[feasible.Kind]string{
	feasible.InVain:      "no larger than a node that was bought in vain",
	feasible.Unavailable: "not available just now",
	feasible.Full:        "reservation full",
	feasible.Later:       "left for the next plan",
	feasible.Leaving:     "being deleted",
	feasible.NoPools:     "no NodePool",
}

// wanting are what reasons are called whose detail is what is wanted.
var wanting = map[feasible.Kind]string{
	feasible.NoDevices: "devices out of reach",
	feasible.NotReady:  "pool not ready",
	feasible.Refused:   "refused",
}

// Words are what a reason is called and its detail, which may be empty.
func Words(r feasible.Reason) (title, detail string) {
	if title, ok := plain[r.Kind]; ok {
		return title, ""
	}
	if title, ok := wanting[r.Kind]; ok {
		return title, r.Want
	}
	amounts := func(have string) string {
		return fmt.Sprintf(
			"needs %s %s, %s %s", Amount(r.Resource, r.Need), r.Resource, have, Amount(r.Resource, r.Have),
		)
	}
	switch r.Kind {
	case feasible.TooSmall:
		return "too small", amounts("largest has")
	case feasible.NoRoom:
		return "no room", amounts("at most left")
	case feasible.WrongLabel:
		return "wrong label", "wants " + r.Want
	case feasible.WrongVolume:
		return "volume out of reach", "wants " + r.Want
	case feasible.Tainted:
		if strings.Contains(r.Want, ":") { // value and effect
			return "tainted", r.Key + "=" + r.Want
		}
		return "tainted", r.Key + ":" + r.Want
	case feasible.Spread:
		return "too uneven", fmt.Sprintf("skew over %s would be %d, allowed is %d", r.Key, r.Need, r.Have)
	case feasible.NoDomain:
		return "no label to spread or gather by", r.Key
	case feasible.Affinity:
		return "no pod to be near", r.Key
	case feasible.AntiAffinity:
		return "a pod to keep away from", r.Key
	case feasible.PortTaken:
		return "host port taken", r.Key
	case feasible.NoAttach:
		return "no slot for a volume", fmt.Sprintf("%s: needs %d, has %d", r.Key, r.Need, r.Have)
	case feasible.OverLimit:
		return "over the pool's limit", amounts("left")
	case feasible.PoolExcludes:
		return "excluded by the pool", "wants " + r.Want
	case feasible.TooFewTypes:
		return "too few choices", fmt.Sprintf("%s: needs %d different values, has %d", r.Key, r.Need, r.Have)
	}
	return string(r.Kind), ""
}

// Amount is an amount of a resource for people: milli-cores as cores, bytes with binary suffixes.
func Amount(resource string, n int64) string {
	switch {
	case resource == shape.CPU && n%1000 != 0:
		return strconv.FormatInt(n, 10) + "m"
	case resource == shape.CPU:
		return strconv.FormatInt(n/1000, 10)
	case resource == shape.Memory || resource == shape.Ephemeral || strings.HasPrefix(resource, "hugepages-"):
		return bytes(n)
	}
	return strconv.FormatInt(n, 10)
}

func bytes(n int64) string {
	suffixes := []string{"", "Ki", "Mi", "Gi", "Ti"}
	i := 0
	for i+1 < len(suffixes) && n != 0 && n%1024 == 0 {
		n /= 1024
		i++
	}
	if n < 10_000 {
		return strconv.FormatInt(n, 10) + suffixes[i]
	}
	f := float64(n)
	for i+1 < len(suffixes) && f >= 1024 {
		f /= 1024
		i++
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + suffixes[i]
}
