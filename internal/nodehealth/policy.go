package nodehealth

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// agingStep is how long a node waits for one step of its policy's rank: whoever waits long enough comes before nodes
// of any priority. Karpenter's figure.
const agingStep = 30 * time.Minute

// topPriority is the highest that a policy may have.
const topPriority = 100

// Policies are a cloud's repair policies, compiled. Safe for concurrent use.
type Policies struct {
	list []policy
}

type policy struct {
	provider.RepairPolicy
	reason *regexp.Regexp // nil for whatever no other policy of the pair matches
	rank   int            // of the priority among all there are, 0 for the lowest
}

// pair is what policies are about.
type pair struct {
	condition corev1.NodeConditionType
	status    corev1.ConditionStatus
}

func (p *policy) pair() pair { return pair{p.Condition, p.Status} }

// Compile checks a cloud's policies. The error names each policy that breaks a rule of provider.RepairPolicy.
func Compile(list []provider.RepairPolicy) (*Policies, error) {
	out := &Policies{}
	var errs []error
	var priorities []int
	others := map[pair]int{}
	for i := range list {
		p := policy{RepairPolicy: list[i]}
		if err := p.check(); err != nil {
			errs = append(errs, fmt.Errorf("repair policy %d, condition %q: %w", i, p.Condition, err))
			continue
		}
		if p.Reason == "" {
			others[p.pair()]++
		} else {
			others[p.pair()] += 0
			p.reason = regexp.MustCompile(p.Reason) // check has compiled it
		}
		priorities = append(priorities, p.Priority)
		out.list = append(out.list, p)
	}
	for of, n := range others {
		if n != 1 {
			errs = append(
				errs,
				fmt.Errorf("condition %q with status %s: %d repair policies have no reason; exactly one must",
					of.condition, of.status, n),
			)
		}
	}
	slices.Sort(priorities)
	priorities = slices.Compact(priorities)
	for i := range out.list {
		out.list[i].rank = slices.Index(priorities, out.list[i].Priority)
	}
	return out, errors.Join(errs...)
}

func (p *policy) check() error {
	known := []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown}
	switch {
	case p.Condition == "":
		return errors.New("the condition is missing")
	case !slices.Contains(known, p.Status):
		return fmt.Errorf("status %q is none of True, False, Unknown", p.Status)
	case p.After < 0:
		return fmt.Errorf("the time to wait, %s, is negative", p.After)
	case p.GracePeriod != nil && *p.GracePeriod < 0:
		return fmt.Errorf("the grace period, %s, is negative", *p.GracePeriod)
	case p.Priority < 0 || p.Priority > topPriority:
		return fmt.Errorf("priority %d is not within 0 and %d", p.Priority, topPriority)
	case p.Action > provider.RebootNode:
		return fmt.Errorf("action %d is unknown", p.Action)
	}
	if _, err := regexp.Compile(p.Reason); err != nil {
		return fmt.Errorf("the reason is no regular expression: %w", err)
	}
	return nil
}

// judge reports whether any policy is about a condition's type, and whether one is about its status too.
func (p *Policies) judge(c corev1.NodeCondition) (watched, bad bool) {
	for i := range p.list {
		watched = watched || p.list[i].Condition == c.Type
		bad = bad || p.list[i].Condition == c.Type && p.list[i].Status == c.Status
	}
	return watched, bad
}

// matching are the policies that apply to a bad condition. One without a reason applies only if no other does: a
// policy that is made for a reason keeps it out even while it still waits.
func (p *Policies) matching(c corev1.NodeCondition) []*policy {
	var out []*policy
	var other *policy
	for i := range p.list {
		one := &p.list[i]
		switch {
		case one.pair() != pair{c.Type, c.Status}:
		case one.reason == nil:
			other = one
		case one.reason.MatchString(c.Reason):
			out = append(out, one)
		}
	}
	if len(out) == 0 && other != nil {
		out = append(out, other)
	}
	return out
}

// Bad reports whether any policy calls a node unhealthy just now, for however short a time.
func (p *Policies) Bad(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		_, bad := p.judge(c)
		return bad
	})
}

// Cure is what mends a node whose time is over.
type Cure struct {
	Condition corev1.NodeCondition // of the policy that decides
	Action    provider.RepairAction
	Since     time.Time // when the policy's time was over

	// GracePeriod bounds the drain: the shortest of all policies whose time is over; nil for no bound.
	GracePeriod *time.Duration
	// Score orders nodes: the highest is mended first.
	Score float64
}

// Diagnosis is what is wrong with a node.
type Diagnosis struct {
	Bad  bool          // some policy calls it unhealthy
	Cure *Cure         // nil while no policy's time is over
	In   time.Duration // until the next policy's time is over; 0 if none waits
}

// Diagnose says what is wrong with the node of a claim. Its time counts from the first bad status that no good one has
// ended, and not from before a reboot that succeeded.
func (p *Policies) Diagnose(node *corev1.Node, claim *karpenterv1.NodeClaim, now time.Time) Diagnosis {
	bad, reset := Noted(claim).Follow(node, p, now), freshSince(claim)
	var out Diagnosis
	var winner *policy
	for _, c := range node.Status.Conditions {
		from := bad[c.Type].Time
		if from.Before(reset) {
			from = reset
		}
		for _, one := range p.matching(c) {
			out.Bad = true
			due := from.Add(one.After)
			if wait := due.Sub(now); wait > 0 {
				out.wait(wait)
				continue
			}
			mine := Cure{
				Condition:   c,
				Action:      one.Action,
				Since:       due,
				GracePeriod: one.GracePeriod,
				Score:       one.score(due, now),
			}
			winner = out.merge(mine, one, winner)
		}
	}
	return out
}

// wait notes that a policy's time is over in so long.
func (d *Diagnosis) wait(in time.Duration) {
	if d.In == 0 || in < d.In {
		d.In = in
	}
}

// merge adds what another policy says, and returns the one that decides.
func (d *Diagnosis) merge(mine Cure, of, winner *policy) *policy {
	if d.Cure == nil {
		d.Cure = &mine
		return of
	}
	grace, score := shorter(d.Cure.GracePeriod, mine.GracePeriod), max(d.Cure.Score, mine.Score)
	if before(of, &mine, winner, d.Cure) {
		d.Cure, winner = &mine, of
	}
	d.Cure.GracePeriod, d.Cure.Score = grace, score
	return winner
}

// before reports whether policy a decides and not b: to replace comes before to reboot, then priority, then age, then
// the condition's name.
func before(a *policy, mine *Cure, b *policy, theirs *Cure) bool {
	return cmp.Or(
		cmp.Compare(a.Action, b.Action),
		cmp.Compare(b.Priority, a.Priority),
		mine.Since.Compare(theirs.Since),
		cmp.Compare(a.Condition, b.Condition),
	) < 0
}

// score grows with the priority's rank and with age, and has no upper limit.
func (p *policy) score(due, now time.Time) float64 {
	return float64(p.rank) + float64(now.Sub(due))/float64(agingStep)
}

// shorter of two bounds, where nil is none.
func shorter(a, b *time.Duration) *time.Duration {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}
