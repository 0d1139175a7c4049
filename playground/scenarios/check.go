package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// byNodeLabel counts running pods by the value that their nodes have of a label, and names those without a value "".
func (s *stage) byNodeLabel(ctx context.Context, selector, key string) (map[string]int, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	var nodes corev1.NodeList
	if err := errors.Join(
		s.client.List(ctx, &pods, client.MatchingLabelsSelector{Selector: parsed}),
		s.client.List(ctx, &nodes),
	); err != nil {
		return nil, fmt.Errorf("listing pods and nodes: %w", err)
	}
	value := map[string]string{}
	for i := range nodes.Items {
		value[nodes.Items[i].Name] = nodes.Items[i].Labels[key]
	}
	out := map[string]int{}
	for i := range pods.Items {
		if p := &pods.Items[i]; p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil {
			out[value[p.Spec.NodeName]]++
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no pod with the labels %s runs", selector)
	}
	return out, nil
}

func (s *stage) doOn(ctx context.Context, args []string) error {
	key, want, err := pair(args[1])
	if err != nil {
		return err
	}
	have, err := s.byNodeLabel(ctx, args[0], key)
	if err != nil {
		return err
	}
	wanted := strings.Split(want, "|")
	for value := range have {
		if !slices.Contains(wanted, value) {
			return fmt.Errorf(
				"pods with %s should run on nodes with %s only; by %s they are %v",
				args[0],
				args[1],
				key,
				have,
			)
		}
	}
	return nil
}

func (s *stage) doSpread(ctx context.Context, args []string) error {
	skew, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("skew %s: %w", args[2], err)
	}
	have, err := s.byNodeLabel(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	least, most := 1<<30, 0
	for _, n := range have {
		least, most = min(least, n), max(most, n)
	}
	if most-least > skew || len(have) < 2 {
		return fmt.Errorf(
			"pods with %s should differ by at most %d between values of %s, but are %v",
			args[0],
			skew,
			args[1],
			have,
		)
	}
	return nil
}

func (s *stage) doTogether(ctx context.Context, args []string) error {
	have, err := s.byNodeLabel(ctx, args[0], args[1])
	if err == nil && len(have) > 1 {
		err = fmt.Errorf("pods with %s should share one value of %s, but are %v", args[0], args[1], have)
	}
	return err
}

func (s *stage) doBought(_ context.Context, args []string) error {
	most, err := strconv.Atoi(args[0])
	if err == nil && s.ledger.machines() > most {
		err = fmt.Errorf("%d machines were bought, at most %d should be", s.ledger.machines(), most)
	}
	return err
}

func (s *stage) doProtect(ctx context.Context, args []string) error {
	selector, err := labels.Parse(args[0])
	if err != nil {
		return err
	}
	var pods corev1.PodList
	if err := s.client.List(ctx, &pods, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	if len(pods.Items) == 0 {
		return fmt.Errorf("no pod has the labels %s", selector)
	}
	for i := range pods.Items {
		s.ledger.protect(&pods.Items[i])
	}
	return nil
}

// verify checks what must be true at the end of every story, and returns what it came to.
func (s *stage) verify(ctx context.Context) (Outcome, error) {
	out := Outcome{Story: s.story.Name, Bought: s.ledger.machines()}
	played := time.Now()
	if err := s.doRest(ctx, nil); err != nil {
		return out, err
	}
	var errs []error
	c, err := s.pods(ctx, labels.Everything())
	errs = append(errs, err)
	out.Pods = c.running
	if c.pending != s.waiting {
		errs = append(errs, fmt.Errorf("%d pods wait at the end, %d should", c.pending, s.waiting))
	}
	vain := s.ledger.inVain()
	out.InVain, out.Bought = len(vain), s.ledger.machines()
	if len(vain) > s.spare {
		errs = append(
			errs,
			fmt.Errorf("%d machines were bought and never used: %s", len(vain), strings.Join(vain, ", ")),
		)
	}
	if names := s.ledger.disturbed(); len(names) > 0 {
		errs = append(errs, fmt.Errorf("pods that nobody may disturb were ended: %s", strings.Join(names, ", ")))
	}
	if pods := s.ledger.turnedAway(); len(pods) > 0 {
		errs = append(
			errs,
			fmt.Errorf("pods were bound to nodes that could not take them: %s", strings.Join(pods, ", ")),
		)
	}
	errs = append(errs, s.cheap(ctx, &out))
	out.Settled = time.Since(played)
	return out, errors.Join(errs...)
}

// settleWithin is how long a young fleet may take to become as cheap as it can be: moves that save a twentieth pay back
// within the time that a fleet of some minutes is trusted to live.
const settleWithin = 8 * time.Minute

// doCheap is cheap for a script, which has no outcome yet.
func doCheap(s *stage, ctx context.Context, _ []string) error {
	return s.cheap(ctx, &Outcome{})
}

// cheap waits until the fleet costs at most so many times what it could cost as the story allows: the bound, or a plan
// from nothing where that is more. The bound lets a fleet buy half a machine and pods ignore each other, so no fleet of
// two or three machines comes near it. Moves must pay back within the time that what moves has lived, so a young fleet
// takes some minutes to become as cheap as it can be.
func (s *stage) cheap(ctx context.Context, out *Outcome) error {
	return s.awaitFor(
		ctx,
		settleWithin,
		fmt.Sprintf("the fleet to cost %.2f times what it could at most", s.premium),
		func(ctx context.Context) (bool, string, error) {
			price, err := s.spending(ctx)
			if err != nil {
				return false, "", err
			}
			bound, best, err := s.bound(ctx)
			if err != nil {
				return false, "", err // what was seen last stays in the outcome
			}
			out.Price, out.Bound, out.Best = price, bound, best
			seen := fmt.Sprintf(
				"$%.4f an hour, bound $%.4f; a plan from nothing costs $%.4f",
				out.Price,
				out.Bound,
				out.Best,
			)
			return out.Price <= max(out.Bound, out.Best)*s.premium+1e-6, seen, nil
		},
	)
}
