package history

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Of is what a claim says of its own life.
func Of(c *karpenterv1.NodeClaim) view.Life {
	since := func(name string) time.Time {
		if got := condition.Get(c, name); got != nil && got.Status == "True" {
			return got.LastTransitionTime.Time
		}
		return time.Time{}
	}
	l := view.Life{
		UID: string(
			c.UID,
		),
		Claim:       c.Name,
		Pool:        c.Labels[karpenterv1.NodePoolLabelKey],
		Created:     c.CreationTimestamp.Time,
		Launched:    since(karpenterv1.ConditionLaunched),
		Registered:  since(karpenterv1.ConditionRegistered),
		Initialized: since(karpenterv1.ConditionInitialized),
		Drained: since(
			karpenterv1.ConditionInstanceTerminating,
		),
		InstanceType: c.Labels[corev1.LabelInstanceTypeStable],
		Zone:         c.Labels[corev1.LabelTopologyZone],
		CapacityType: c.Labels[karpenterv1.CapacityTypeLabelKey],
		ProviderID:   c.Status.ProviderID,
		Node:         c.Status.NodeName,
		Came:         c.Annotations[translate.AnnotationOpenedFor],
	}
	if dollars, ok := translate.PlannedPrice(c); ok {
		l.Price = view.PerHour(shape.Dollars(dollars))
	}
	for _, r := range c.Spec.Requirements {
		if r.Key == corev1.LabelInstanceTypeStable && r.Operator == corev1.NodeSelectorOpIn {
			l.Types = r.Values
		}
	}
	if c.DeletionTimestamp != nil {
		l.Deleting = c.DeletionTimestamp.Time
		if at := c.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey]; at != "" {
			l.Deadline = karpenterv1.NodeClaimTerminationTimestampAnnotationKey + ":" + at
		}
	}
	if c.DeletionTimestamp != nil {
		choice(c, &l)
	}
	return l
}

// choice is for what reason a claim was chosen to go. Until it is deleted the choice may be taken back.
func choice(c *karpenterv1.NodeClaim, l *view.Life) {
	d := condition.Get(c, karpenterv1.ConditionDisruptionReason)
	if d == nil || d.Status != "True" {
		return
	}
	l.Chosen, l.Reason, l.Went = d.LastTransitionTime.Time, observe.SnakeCase(d.Reason), clause(d.Message)
	l.Marks = []string{karpenterv1.DisruptedTaintKey + "::" + string(corev1.TaintEffectNoSchedule)}
}

// clause is what follows "because" in a sentence of the controller's.
func clause(message string) string {
	if _, why, ok := strings.Cut(message, "because "); ok {
		message = why
	}
	return strings.TrimSuffix(message, ".")
}

// words say why claims go, by the reasons of metrics.
var words = map[string]string{
	"empty":                            "it was empty",
	"underutilized":                    "its pods run for less elsewhere",
	"drifted":                          "it had drifted",
	"expired":                          "its expireAfter was over",
	"unhealthy":                        "its node was not well",
	"garbage_collected":                "its machine was gone",
	"insufficient_capacity":            "the cloud had none of its offerings",
	"nodeclass_not_ready":              "its node class was not ready",
	"launch_timeout":                   "its machine did not launch in time",
	"registration_timeout":             "its node did not join in time",
	"initialization_timeout":           "its node was not initialized in time",
	"spot_interrupted":                 "the cloud took the spot machine back",
	"instance_stopped":                 "its machine was stopped",
	"instance_terminated":              "its machine was terminated by somebody else",
	"scheduled_change":                 "the cloud had planned maintenance of its machine",
	"instance_status":                  "status checks of its machine failed",
	"system_status":                    "status checks of its machine's host failed",
	"node_gone":                        "its node was gone",
	"capacity_reservation_interrupted": "the owner of its capacity reservation took the machine back",
	"capacity_reservation_expiration":  "its capacity reservation ended",
	reasonDeleted:                      "somebody deleted it or its node",
}

// reasonDeleted is that of claims whose deletion was none of the controller's.
const reasonDeleted = "deleted"

// wordsFor say why in a clause, whatever the reason.
func wordsFor(reason string) string {
	return cmp.Or(words[reason], strings.ReplaceAll(reason, "_", " "))
}

// over lays what is known later over what was known before.
func over(old, now view.Life) view.Life {
	for _, t := range []struct{ to, from *time.Time }{
		{&old.Created, &now.Created}, {&old.Launched, &now.Launched}, {&old.Registered, &now.Registered},
		{&old.Initialized, &now.Initialized},
		{&old.Deleting, &now.Deleting}, {&old.Drained, &now.Drained}, {&old.Gone, &now.Gone}, {&old.Interrupted,
			&now.Interrupted}, {&old.Chosen, &now.Chosen},
	} {
		if t.to.IsZero() {
			*t.to = *t.from
		}
	}
	for _, s := range []struct{ to, from *string }{
		{&old.UID, &now.UID}, {&old.Claim, &now.Claim}, {&old.Pool, &now.Pool}, {&old.InstanceType,
			&now.InstanceType}, {&old.Zone, &now.Zone},
		{&old.CapacityType, &now.CapacityType}, {&old.ProviderID, &now.ProviderID}, {&old.Node, &now.Node},
		{&old.Came, &now.Came},
		{&old.Reason, &now.Reason}, {&old.Went, &now.Went}, {&old.Deadline, &now.Deadline},
	} {
		*s.to = cmp.Or(*s.from, *s.to)
	}
	old.Price, old.Evicted = cmp.Or(now.Price, old.Price), cmp.Or(now.Evicted, old.Evicted)
	old.Types = either(now.Types, old.Types)
	old.Replaces, old.Instead, old.Marks = both(
		old.Replaces,
		now.Replaces,
	), both(
		old.Instead,
		now.Instead,
	), both(
		old.Marks,
		now.Marks,
	)
	return old
}

func either(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}

// both are two lists as one without repeats.
func both(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(slices.Clip(a), s)
		}
	}
	return a
}
