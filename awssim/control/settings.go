package control

import "github.com/dovetail-sh/dovetail/awssim/fault"

// Settings are how strict, late and fast the account is. Nil leaves a setting
// as it is; answers have all of them.
type Settings struct {
	// Throttling gives each action the bucket of tokens that AWS documents.
	Throttling *bool `json:"throttling,omitempty"`
	// Lag is how long lists and descriptions take to show what was created,
	// changed, tagged and ended.
	Lag *fault.Duration `json:"lag,omitempty"`
}
