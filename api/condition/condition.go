// Package condition sets, reads and rolls up the conditions of the kinds in api.
//
// It works on plain lists of metav1.Condition and writes nothing to a server.
// Setting what is already there changes nothing, so an unchanged object needs
// no update.
package condition

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Ready is the condition that rolls up the others of its object.
const Ready = "Ready"

// Reasons that RollUp gives. When dependents are not True it takes the reason
// of the first of them instead.
const (
	ReasonReady        = "Ready"
	ReasonAwaiting     = "AwaitingReconciliation"
	ReasonUnknownCause = "Unknown"
)

// Object is a kind with conditions and a generation, as all in api are.
type Object interface {
	GetGeneration() int64
	GetDeletionTimestamp() *metav1.Time
	Conditions() *[]metav1.Condition
}

// RootedObject is an Object whose Ready rolls up other conditions.
type RootedObject interface {
	Object
	ReadyDependsOn() []string
}

// Get returns the condition of a type, or nil. The result points into the
// object's list and must not be changed.
func Get(o Object, conditionType string) *metav1.Condition {
	list := *o.Conditions()
	for i := range list {
		if list[i].Type == conditionType {
			return &list[i]
		}
	}
	return nil
}

// IsTrue reports whether the condition is there and True.
func IsTrue(o Object, conditionType string) bool {
	return hasStatus(o, conditionType, metav1.ConditionTrue)
}

// IsFalse reports whether the condition is there and False.
func IsFalse(o Object, conditionType string) bool {
	return hasStatus(o, conditionType, metav1.ConditionFalse)
}

func hasStatus(o Object, conditionType string, status metav1.ConditionStatus) bool {
	c := Get(o, conditionType)
	return c != nil && c.Status == status
}

// Set puts a condition on the object and reports whether anything changed.
//
// The time of transition is now if the status changes, else it stays. The
// object's generation becomes the observed generation. An empty reason becomes
// the type, since the API requires one.
func Set(o Object, now time.Time, c metav1.Condition) bool {
	if c.Reason == "" {
		c.Reason = c.Type
	}
	c.ObservedGeneration = o.GetGeneration()
	// Seconds are what survives the wire; more would look like a change after a read.
	c.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))

	list := o.Conditions()
	for i := range *list {
		old := &(*list)[i]
		if old.Type != c.Type {
			continue
		}
		if old.Status == c.Status && !old.LastTransitionTime.IsZero() {
			c.LastTransitionTime = old.LastTransitionTime
		}
		changed := *old != c
		*old = c
		return changed
	}
	*list = append(*list, c)
	return true
}

// True sets a condition to True, with its type as the reason.
func True(o Object, now time.Time, conditionType string) bool {
	return Set(o, now, metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue})
}

// TrueBecause sets a condition to True with a reason and one sentence.
func TrueBecause(o Object, now time.Time, conditionType, reason, message string) bool {
	return Set(
		o,
		now,
		metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: reason, Message: message},
	)
}

// False sets a condition to False with a reason and one sentence.
func False(o Object, now time.Time, conditionType, reason, message string) bool {
	return Set(
		o,
		now,
		metav1.Condition{Type: conditionType, Status: metav1.ConditionFalse, Reason: reason, Message: message},
	)
}

// Unknown sets a condition to Unknown with a reason and one sentence.
func Unknown(o Object, now time.Time, conditionType, reason, message string) bool {
	return Set(
		o,
		now,
		metav1.Condition{Type: conditionType, Status: metav1.ConditionUnknown, Reason: reason, Message: message},
	)
}

// Clear takes a condition away and reports whether it was there.
func Clear(o Object, conditionType string) bool {
	list := o.Conditions()
	for i := range *list {
		if (*list)[i].Type == conditionType {
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			return true
		}
	}
	return false
}

// RollUpReady rolls the object's own dependents up into Ready.
func RollUpReady(o RootedObject, now time.Time) bool {
	return RollUp(o, now, Ready, o.ReadyDependsOn()...)
}

// RollUp sets root from its dependents and reports whether anything changed:
// False when any is False, else Unknown when any is not True or is missing,
// else True. The message names the dependents that are in the way, in the
// given order, with their messages. A dependent that observed an older
// generation counts as Unknown: what it says is about an older spec. That does
// not hold while the object is being deleted, which raises the generation too.
func RollUp(o Object, now time.Time, root string, dependents ...string) bool {
	var failed, open []string
	var failedReason, openReason string
	for _, d := range dependents {
		c := Get(o, d)
		switch {
		case c == nil:
			open = append(open, d+": not yet known")
			openReason = orElse(openReason, ReasonAwaiting)
		case c.ObservedGeneration != o.GetGeneration() && o.GetDeletionTimestamp() == nil:
			open = append(open, d+": not yet known for the current spec")
			openReason = orElse(openReason, ReasonAwaiting)
		case c.Status == metav1.ConditionFalse:
			failed = append(failed, describe(c))
			failedReason = orElse(failedReason, c.Reason)
		case c.Status != metav1.ConditionTrue:
			open = append(open, describe(c))
			openReason = orElse(openReason, c.Reason)
		}
	}
	switch {
	case len(failed) > 0:
		return False(o, now, root, orElse(failedReason, ReasonUnknownCause), strings.Join(failed, "; "))
	case len(open) > 0:
		return Unknown(o, now, root, orElse(openReason, ReasonAwaiting), strings.Join(open, "; "))
	default:
		return TrueBecause(o, now, root, ReasonReady, "")
	}
}

func describe(c *metav1.Condition) string {
	if c.Message == "" {
		return fmt.Sprintf("%s: %s", c.Type, c.Reason)
	}
	return fmt.Sprintf("%s: %s", c.Type, c.Message)
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
