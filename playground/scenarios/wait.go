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
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// crowd counts the pods that are no DaemonSet's, by how far they are.
type crowd struct{ running, pending, completed, going int }

// pods counts those that match.
func (s *stage) pods(ctx context.Context, selector labels.Selector) (crowd, error) {
	var list corev1.PodList
	if err := s.cluster.List(ctx, &list, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return crowd{}, err
	}
	var c crowd
	for i := range list.Items {
		p := &list.Items[i]
		switch {
		case ofDaemonSet(p):
		case p.Status.Phase == corev1.PodSucceeded:
			c.completed++
		case p.Status.Phase == corev1.PodFailed:
		case p.DeletionTimestamp != nil:
			c.going++
		case p.Status.Phase == corev1.PodRunning:
			c.running++
		default:
			c.pending++
		}
	}
	return c, nil
}

// counted waits until the number that a crowd is reduced to is the wanted one.
func (s *stage) counted(ctx context.Context, args []string, what string, holds func(c crowd, n int) bool) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("number %s: %w", args[0], err)
	}
	selector, err := parseSelector(args[1:])
	if err != nil {
		return err
	}
	return s.await(ctx, fmt.Sprintf("%d %s pods", n, what), func(ctx context.Context) (bool, string, error) {
		c, err := s.pods(ctx, selector)
		return holds(
				c,
				n,
			), fmt.Sprintf(
				"%d run, %d wait, %d go, %d completed",
				c.running,
				c.pending,
				c.going,
				c.completed,
			), err
	})
}

func (s *stage) doRunning(ctx context.Context, args []string) error {
	return s.counted(
		ctx,
		args,
		"running",
		func(c crowd, n int) bool { return c.running == n && c.pending == 0 && c.going == 0 },
	)
}

func (s *stage) doCompleted(ctx context.Context, args []string) error {
	return s.counted(ctx, args, "completed", func(c crowd, n int) bool { return c.completed >= n })
}

func (s *stage) doPending(ctx context.Context, args []string) error {
	s.waiting, _ = strconv.Atoi(args[0]) // counted tells of what is no number
	return errors.Join(
		s.counted(ctx, args, "pending", func(c crowd, n int) bool { return c.pending == n && c.going == 0 }),
		s.doRest(ctx, nil),
		s.counted(ctx, args, "still pending", func(c crowd, n int) bool { return c.pending == n }),
	)
}

func (s *stage) doNodes(ctx context.Context, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("number %s: %w", args[0], err)
	}
	selector, err := parseSelector(args[1:])
	if err != nil {
		return err
	}
	return s.await(ctx, fmt.Sprintf("%d nodes", n), func(ctx context.Context) (bool, string, error) {
		var claims karpenterv1.NodeClaimList
		if err := s.cluster.List(ctx, &claims, client.MatchingLabelsSelector{Selector: selector}); err != nil {
			return false, "", err
		}
		ready, going := 0, 0
		for i := range claims.Items {
			c := &claims.Items[i]
			switch {
			case c.DeletionTimestamp != nil:
				going++
			case meta.IsStatusConditionTrue(c.Status.Conditions, karpenterv1.ConditionInitialized):
				ready++
			}
		}
		return ready == n &&
				len(claims.Items) == n, fmt.Sprintf(
				"%d ready, %d going, %d in all",
				ready,
				going,
				len(claims.Items),
			), nil
	})
}

// doRest waits until claims and pods have stayed as they are for restFor, with no claim on its way in or out.
func (s *stage) doRest(ctx context.Context, _ []string) error {
	last, since := "", time.Now()
	return s.await(ctx, "the cluster to come to rest", func(ctx context.Context) (bool, string, error) {
		now, moving, err := s.picture(ctx)
		if err != nil {
			return false, "", err
		}
		if now != last || moving != "" {
			last, since = now, time.Now()
		}
		if moving == "" {
			moving = fmt.Sprintf("nothing has changed for %s", time.Since(since).Round(time.Second))
		}
		return time.Since(since) >= restFor, moving, nil
	})
}

// picture says how all claims and pods are, and which claim is on its way.
func (s *stage) picture(ctx context.Context) (picture, moving string, err error) {
	var claims karpenterv1.NodeClaimList
	var pods corev1.PodList
	if err := errors.Join(s.cluster.List(ctx, &claims), s.cluster.List(ctx, &pods)); err != nil {
		return "", "", err
	}
	var lines []string
	for i := range claims.Items {
		c := &claims.Items[i]
		lines = append(lines, c.Name)
		if c.DeletionTimestamp != nil ||
			!meta.IsStatusConditionTrue(c.Status.Conditions, karpenterv1.ConditionInitialized) {
			moving = "claim " + c.Name + " is on its way"
		}
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		lines = append(lines, fmt.Sprint(p.UID, p.Spec.NodeName, p.Status.Phase, p.DeletionTimestamp != nil))
	}
	slices.Sort(lines) // a cache lists in any order
	return strings.Join(lines, "\n"), moving, nil
}

func (s *stage) doEvent(ctx context.Context, args []string) error {
	return s.await(ctx, "an event "+args[0], func(ctx context.Context) (bool, string, error) {
		var events corev1.EventList
		if err := s.client.List(ctx, &events); err != nil {
			return false, "", err
		}
		for i := range events.Items {
			if e := &events.Items[i]; e.Reason == args[0] && strings.Contains(e.Message, args[1]) &&
				e.CreationTimestamp.After(s.began) {
				return true, "", nil
			}
		}
		return false, "none", nil
	})
}
