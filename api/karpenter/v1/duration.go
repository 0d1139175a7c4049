package v1

import (
	"encoding/json"
	"fmt"
	"time"
)

// Never is how a user writes "no limit" where a duration is expected.
const Never = "Never"

// NillableDuration is a duration that may also be Never.
//
// The zero value is Never and is written as such, so an object made in code
// gets Never where one made by hand gets the schema's default. On the wire it is a Go duration string in whole
// seconds, minutes and hours, or "Never".
type NillableDuration struct {
	// Duration is nil for Never.
	*time.Duration

	// Text is the duration as it was read, so that writing an object back does
	// not turn the user's "24h" into "24h0m0s": that would look like a change
	// to deployment tools and would break the immutability of NodeClaim specs.
	// It is empty for Never and for durations made in code.
	Text string `json:"-" hash:"ignore"`
}

// After returns the NillableDuration of d.
func After(d time.Duration) NillableDuration {
	return NillableDuration{Duration: &d}
}

// ParseNillableDuration reads "Never" or a Go duration.
func ParseNillableDuration(text string) (NillableDuration, error) {
	if text == Never {
		return NillableDuration{}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return NillableDuration{}, fmt.Errorf("reading duration %q (want for example \"720h\", \"30m\" or %q): %w", text, Never, err)
	}
	return NillableDuration{Duration: &d, Text: text}, nil
}

// IsNever reports whether there is no limit.
func (d NillableDuration) IsNever() bool { return d.Duration == nil }

// String is the text that was read, else the Go form, else "Never".
func (d NillableDuration) String() string {
	switch {
	case d.Duration == nil:
		return Never
	case d.Text != "":
		return d.Text
	default:
		return d.Duration.String()
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *NillableDuration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("reading duration: want a string such as \"720h\" or %q: %w", Never, err)
	}
	read, err := ParseNillableDuration(text)
	if err != nil {
		return err
	}
	*d = read
	return nil
}

// MarshalJSON implements json.Marshaler.
func (d NillableDuration) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.String())
}

// ToUnstructured implements the converter that server-side apply uses.
func (d NillableDuration) ToUnstructured() any { return d.String() }
