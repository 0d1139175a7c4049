package control

import "github.com/dovetail-sh/dovetail/awssim/fault"

// Settings are how strict, late and fast the account is. Nil leaves a setting
// as it is; answers have all of them.
type Settings struct {
	// Throttling gives each action the bucket of tokens that AWS documents.
	Throttling *bool `json:"throttling,omitempty"`
	// Floor is the least time that an answer takes, by the wall's clock: clients
	// on the AWS SDK for Go drop large answers that come sooner than any network
	// carries them.
	Floor *fault.Duration `json:"floor,omitempty"`
	// Lag is how long lists and descriptions take to show what was created,
	// changed, tagged and ended.
	Lag *fault.Duration `json:"lag,omitempty"`

	// Duplicates is the chance that a message comes to the queue twice, and
	// Disorder how late each may be, so that they come out of order.
	Duplicates *float64        `json:"duplicates,omitempty"`
	Disorder   *fault.Duration `json:"disorder,omitempty"`
	// OldShapes has messages in the forms that older pages of AWS's
	// documentation show.
	OldShapes *bool `json:"oldShapes,omitempty"`

	// Moving has spot prices move, pools run out and refill, and spot instances
	// be interrupted.
	Moving *bool `json:"moving,omitempty"`
	// Unrest multiplies how often spot instances are interrupted: 1 is as often
	// as AWS publishes, which is a few of a hundred in a month.
	Unrest *float64 `json:"unrest,omitempty"`
	// Speed is how many times as fast as the wall's the account's time passes.
	Speed *float64 `json:"speed,omitempty"`
}
