package shape

import (
	"math"
	"strconv"
)

// Money is a price in micro-dollars per hour (or in micro-units of the currency
// that the cloud bills in). It is an integer so that sums do not depend on order.
type Money int64

// Dollar is one dollar an hour.
const Dollar Money = 1_000_000

// Dollars rounds a price in dollars an hour to Money. NaN and negative prices are 0.
func Dollars(perHour float64) Money {
	if !(perHour > 0) {
		return 0
	}
	return Money(math.Round(float64(perHour * float64(Dollar))))
}

// Float is the price in dollars an hour.
func (m Money) Float() float64 { return float64(m) / float64(Dollar) }

// String is the price in dollars an hour with four decimals: "0.0960".
func (m Money) String() string { return strconv.FormatFloat(m.Float(), 'f', 4, 64) }
