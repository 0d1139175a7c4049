package transition

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/dovetail-sh/dovetail/api/condition"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Deps are what an Observer needs; all are required.
type Deps struct {
	Events  *observe.Recorder
	Metrics observe.StatusMetrics
	Clock   clock.PassiveClock
	Scheme  *runtime.Scheme

	// Active is false on standbys: each change is told once.
	Active func() bool
}

// Observer tells of changes.
type Observer struct{ Deps }

// Follow has the cache tell the Observer of changes of these kinds.
func (o *Observer) Follow(ctx context.Context, from cache.Cache, kinds ...client.Object) error {
	for _, kind := range kinds {
		gvk, err := apiutil.GVKForObject(kind, o.Scheme)
		if err != nil {
			return fmt.Errorf("finding the kind of %T: %w", kind, err)
		}
		informer, err := from.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching %s: %w", gvk.Kind, err)
		}
		if _, err := informer.AddEventHandler(o.handler(gvk.GroupKind())); err != nil {
			return fmt.Errorf("watching %s: %w", gvk.Kind, err)
		}
	}
	return nil
}

func (o *Observer) handler(kind schema.GroupKind) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, after any) {
			old, ok := before.(client.Object)
			now, also := after.(client.Object)
			if ok && also && o.Active() {
				o.changed(kind, old, now)
			}
		},
		DeleteFunc: func(last any) {
			if unknown, ok := last.(toolscache.DeletedFinalStateUnknown); ok {
				last = unknown.Obj
			}
			if object, ok := last.(client.Object); ok && o.Active() {
				o.gone(kind, object)
			}
		},
	}
}

// changed compares two states of an object.
func (o *Observer) changed(kind schema.GroupKind, before, after client.Object) {
	for _, c := range changes(conditions(before), conditions(after)) {
		for _, s := range o.series(kind) {
			s.Transitions.WithLabelValues(s.with(c.now.Type, string(c.now.Status), c.now.Reason)...).Inc()
			if c.was != nil {
				held := c.now.LastTransitionTime.Sub(c.was.LastTransitionTime.Time)
				s.TransitionTime.WithLabelValues(
					s.with(c.was.Type, string(c.was.Status), string(c.now.Status))...).Observe(
					held.Seconds(),
				)
			}
		}
		if c.told() {
			o.Events.EmitOf(string(c.now.Status)+c.now.Reason, after, observe.Transition(c.now.Type), c.sentence())
		}
	}
}

func (o *Observer) gone(kind schema.GroupKind, last client.Object) {
	deleted := last.GetDeletionTimestamp()
	if deleted == nil {
		return
	}
	for _, s := range o.series(kind) {
		s.Termination.WithLabelValues(s.with()...).Observe(o.Clock.Since(deleted.Time).Seconds())
	}
}

// change is a condition that was one thing and now is another. was is nil if it is new.
type change struct{ was, now *metav1.Condition }

// told changes are worth an event. A condition that is new and not yet True is not: every object
// begins with those.
func (c change) told() bool { return c.was != nil || c.now.Status == metav1.ConditionTrue }

func (c change) sentence() string {
	text := fmt.Sprintf("%s is now %s", c.now.Type, c.now.Status)
	if c.now.Reason != "" && c.now.Reason != c.now.Type {
		text += " (" + c.now.Reason + ")"
	}
	if c.now.Message != "" {
		return text + ": " + c.now.Message
	}
	return text + "."
}

// changes lists conditions whose status changed, in the order in which the object has them.
func changes(before, after []metav1.Condition) []change {
	var out []change
	for i := range after {
		was := meta.FindStatusCondition(before, after[i].Type)
		if was == nil || was.Status != after[i].Status {
			out = append(out, change{was, &after[i]})
		}
	}
	return out
}

// conditions are those of our kinds, or of a Node.
func conditions(object client.Object) []metav1.Condition {
	switch o := object.(type) {
	case condition.Object:
		return *o.Conditions()
	case *corev1.Node:
		out := make([]metav1.Condition, 0, len(o.Status.Conditions))
		for _, c := range o.Status.Conditions {
			out = append(out, metav1.Condition{
				Type: string(
					c.Type,
				),
				Status:             metav1.ConditionStatus(c.Status),
				Reason:             c.Reason,
				Message:            c.Message,
				LastTransitionTime: c.LastTransitionTime,
			})
		}
		return out
	}
	return nil
}

// named is a group of metrics with the labels that come before all others.
type named struct {
	observe.StatusSeries
	first []string
}

func (n named) with(rest ...string) []string { return append(append([]string{}, n.first...), rest...) }

// series are the metrics of all kinds and of this one.
func (o *Observer) series(kind schema.GroupKind) []named {
	out := []named{{o.Metrics.All, []string{kind.Group, kind.Kind}}}
	if own, ok := o.Metrics.ByKind[kind.Kind]; ok {
		out = append(out, named{own, nil})
	}
	return out
}

// Refresh sets the gauges anew from what there is. Calls must not overlap.
func (o *Observer) Refresh(ctx context.Context, from client.Reader, lists ...client.ObjectList) error {
	o.reset()
	for _, list := range lists {
		if err := from.List(ctx, list); err != nil {
			return fmt.Errorf("listing %T: %w", list, err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object, ok := item.(client.Object)
			if !ok {
				return nil
			}
			gvk, err := apiutil.GVKForObject(object, o.Scheme)
			if err != nil {
				return fmt.Errorf("finding the kind of %T: %w", object, err)
			}
			o.gauge(gvk.GroupKind(), object)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Observer) reset() {
	all := []observe.StatusSeries{o.Metrics.All}
	for _, s := range o.Metrics.ByKind {
		all = append(all, s)
	}
	for _, s := range all {
		s.Count.Reset()
		s.CurrentTime.Reset()
		s.TerminationNow.Reset()
	}
}

func (o *Observer) gauge(kind schema.GroupKind, object client.Object) {
	now := o.Clock.Now()
	for _, s := range o.series(kind) {
		for _, c := range conditions(object) {
			labels := s.with(object.GetNamespace(), object.GetName(), c.Type, string(c.Status), c.Reason)
			s.Count.WithLabelValues(labels...).Set(1)
			s.CurrentTime.WithLabelValues(labels...).Set(since(now, c.LastTransitionTime.Time))
		}
		if deleted := object.GetDeletionTimestamp(); deleted != nil {
			s.TerminationNow.WithLabelValues(s.with(object.GetNamespace(), object.GetName())...).
				Set(since(now, deleted.Time))
		}
	}
}

func since(now, then time.Time) float64 { return max(now.Sub(then).Seconds(), 0) }
