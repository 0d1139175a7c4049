package engine

import "github.com/dovetail-sh/dovetail/engine/shape"

// PreferencePolicy says what becomes of wishes that are not required.
type PreferencePolicy uint8

const (
	// RespectPreferences treats preferences as required and gives them up one at a time.
	RespectPreferences PreferencePolicy = iota
	// IgnorePreferences plans as if there were none.
	IgnorePreferences
)

// MinValuesPolicy says what becomes of a NodePool's minValues that cannot be kept.
type MinValuesPolicy uint8

const (
	// MinValuesStrict does not open a node that would break them.
	MinValuesStrict MinValuesPolicy = iota
	// MinValuesBestEffort lowers them as far as needed.
	MinValuesBestEffort
)

// Policy is what the operator of the cluster may choose. Use [DefaultPolicy] and change fields.
type Policy struct {
	Preferences PreferencePolicy `json:"preferences,omitempty"`
	MinValues   MinValuesPolicy  `json:"minValues,omitempty"`

	// MaxInstanceTypes is how many instance types a new node's options may name, the
	// cheapest ones; 0 for no such limit.
	MaxInstanceTypes int `json:"maxInstanceTypes,omitempty"`

	// Effort is how many steps may be spent on finding a cheaper plan than the first one.
	// A step is about a microsecond's work on a small problem; time is never measured.
	// 0 takes the first plan.
	Effort int `json:"effort,omitempty"`

	// NodePrice is added to the price of every node when plans are compared, for what a
	// node costs beside its machine. It is not part of any price in the Decision.
	NodePrice shape.Money `json:"nodePrice,omitempty"`
}

// DefaultPolicy is what the controller runs with unless told otherwise.
func DefaultPolicy() Policy {
	return Policy{MaxInstanceTypes: 600, Effort: 1_000_000}
}
