package nodehealth

import (
	"encoding/json"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// AnnotationUnhealthySince on a NodeClaim says since when conditions of its node are bad: a JSON object of times in RFC
// 3339 by type of condition. Agents set a condition's own time of transition anew with each other word that they find
// for a broken device, and the kubelet's silence turns False into Unknown; this time only a good status ends.
const AnnotationUnhealthySince = "dovetail.sh/unhealthy-since"

// Since is when conditions were first seen bad, of those that no good status has ended.
type Since map[corev1.NodeConditionType]metav1.Time

// Noted reads a claim's. What cannot be read counts as nothing: the clock starts anew.
func Noted(claim *karpenterv1.NodeClaim) Since {
	out := Since{}
	if json.Unmarshal([]byte(claim.Annotations[AnnotationUnhealthySince]), &out) != nil {
		return Since{}
	}
	return out
}

// String is the value of the annotation; empty if nothing is bad.
func (s Since) String() string {
	if len(s) == 0 {
		return ""
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "" // a map of texts and times always can be written
	}
	return string(text)
}

// Follow brings what was noted up to date with a node. A condition that is neither bad nor good, or is not there any
// more, changes nothing.
func (s Since) Follow(node *corev1.Node, policies *Policies, now time.Time) Since {
	out := maps.Clone(s)
	if out == nil {
		out = Since{}
	}
	for _, c := range node.Status.Conditions {
		watched, bad := policies.judge(c)
		_, running := out[c.Type]
		switch {
		case watched && !bad && c.Status != corev1.ConditionUnknown:
			delete(out, c.Type)
		case bad && !running:
			out[c.Type] = metav1.NewTime(began(c, now))
		}
	}
	return out
}

// began is since when a condition is bad that is seen so for the first time: since it says, if that can be.
func began(c corev1.NodeCondition, now time.Time) time.Time {
	at := c.LastTransitionTime.Time
	if at.IsZero() || at.After(now) {
		at = now
	}
	return at.UTC().Truncate(time.Second)
}
