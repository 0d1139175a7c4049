package fault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Room says how much of resources a node has, by their names: a quantity, or a
// percentage of what the machine would have had ("50%").
type Room map[string]string

// Of returns what a machine has of a resource that it would have had so much
// of. A resource that the Room does not name stays as it is, one that the
// machine does not have is given to it. The error is Validate's.
func (r Room) Of(name string, would resource.Quantity) (resource.Quantity, error) {
	text, named := r[name]
	if !named {
		return would, nil
	}
	percent, relative := strings.CutSuffix(text, "%")
	if !relative {
		amount, err := resource.ParseQuantity(text)
		if err == nil && amount.Sign() < 0 {
			err = errors.New("it is below zero")
		}
		if err != nil {
			return would, fmt.Errorf("room for %s is %q, want a quantity or a percentage: %w", name, text, err)
		}
		return amount, nil
	}
	share, err := strconv.ParseFloat(percent, 64)
	if err != nil || !(share >= 0 && share <= 1000) {
		return would, fmt.Errorf("room for %s is %q, want a quantity or a percentage from 0%% to 1000%%", name, text)
	}
	if name == "cpu" {
		return *resource.NewMilliQuantity(int64(float64(would.MilliValue())*share/100), would.Format), nil
	}
	return *resource.NewQuantity(int64(float64(would.Value())*share/100), would.Format), nil
}

// validate names everything that can not be read.
func (r Room) validate() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r)) {
		_, err := r.Of(name, resource.Quantity{})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
