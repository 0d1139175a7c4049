package view

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// HoursPerMonth is what bills and price lists reckon a month as.
const HoursPerMonth = 730

// PerHour is a price in micro-dollars an hour, so that sums agree wherever they are shown. In JSON it is dollars an
// hour.
type PerHour shape.Money

// MarshalJSON writes dollars an hour.
func (p PerHour) MarshalJSON() ([]byte, error) {
	return []byte(strconv.FormatFloat(shape.Money(p).Float(), 'f', -1, 64)), nil
}

// UnmarshalJSON reads dollars an hour; they may be negative.
func (p *PerHour) UnmarshalJSON(text []byte) error {
	dollars, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("%s is no price in dollars an hour: %w", text, err)
	}
	if dollars < 0 {
		*p = -PerHour(shape.Dollars(-dollars))
		return nil
	}
	*p = PerHour(shape.Dollars(dollars))
	return nil
}

// Dollar is the price as a number of dollars an hour.
func (p PerHour) Dollar() float64 { return float64(p) / 1e6 }

// Dollars is the price with four decimals: "$0.0960", "-$0.0960".
func (p PerHour) Dollars() string {
	if p < 0 {
		return "-" + (-p).Dollars()
	}
	return "$" + shape.Money(p).String()
}

// Change is a difference of prices with its sign: "+$0.0960".
func (p PerHour) Change() string {
	if p > 0 {
		return "+" + p.Dollars()
	}
	return p.Dollars()
}

// Month is what so many dollars an hour are in a month, to the cent, with commas: "$1,401.60".
func (p PerHour) Month() string {
	if p < 0 {
		return "-" + (-p).Month()
	}
	cents := (int64(p)*HoursPerMonth + 5_000) / 10_000
	whole := strconv.FormatInt(cents/100, 10)
	var groups []string
	for len(whole) > 3 {
		groups = append([]string{whole[len(whole)-3:]}, groups...)
		whole = whole[:len(whole)-3]
	}
	groups = append([]string{whole}, groups...)
	return fmt.Sprintf("$%s.%02d", strings.Join(groups, ","), cents%100)
}
