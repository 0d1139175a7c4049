package crdtest

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/dovetail-sh/dovetail/api/crd/judge"
)

// Try plays a case through and returns the problems of its last step and the
// object as it then is. An error means that the case itself is wrong.
func Try(ctx context.Context, j *judge.Judge, c Case) ([]judge.Problem, *unstructured.Unstructured, error) {
	object, err := Valid(c.Kind, "case")
	if err != nil {
		return nil, nil, err
	}
	if err := Assign(object, c.Create); err != nil {
		return nil, nil, err
	}
	found := j.Create(ctx, object)
	for _, next := range []string{c.Update, c.Status} {
		if strings.TrimSpace(next) == "" {
			continue
		}
		if len(found) > 0 {
			return nil, nil, fmt.Errorf("case %q of %s does not get as far as its update: %v", c.Name, c.Kind, found)
		}
		old := object.DeepCopy()
		if err := Assign(object, next); err != nil {
			return nil, nil, err
		}
		found = j.Update(ctx, object, old)
	}
	return found, object, nil
}

// Disagreement says how the outcome of a case differs from what it states, or
// is empty. The problem must be the only one: a user gets one clear message.
func (c Case) Disagreement(found []judge.Problem, object *unstructured.Unstructured) string {
	if c.Says == "" {
		if len(found) > 0 {
			return fmt.Sprintf("must be accepted, but: %v", found)
		}
		differences, err := Differences(object, c.Becomes)
		if err != nil {
			return err.Error()
		}
		return strings.Join(differences, "; ")
	}
	if len(found) == 0 {
		return fmt.Sprintf("was accepted, must be refused at %s with %q", c.At, c.Says)
	}
	said := false
	for _, p := range found {
		switch {
		case p.Field == c.At && strings.Contains(p.Message, c.Says):
			said = true
		case c.Also == "" || p.Field != c.Also:
			return fmt.Sprintf("%s says %q, want only %s with %q", p.Field, p.Message, c.At, c.Says)
		}
	}
	if !said {
		return fmt.Sprintf("only %s speaks up, want %s with %q", c.Also, c.At, c.Says)
	}
	return ""
}
