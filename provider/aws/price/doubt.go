package price

import (
	"fmt"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// leap is the factor by which most prices do not move from one answer to the next: spot prices change by some percent a
// day, those on demand every other year.
const leap = 10

// doubt is a list of prices that was not believed when it was told.
type doubt struct{ told map[place]shape.Money }

// believe returns an error if most of the prices that were known have moved by more than a leap. What is told a second
// time is believed.
func (d *doubt) believe(known, told map[place]shape.Money) error {
	moved := leaps(known, told)
	if moved == 0 || d.told != nil && leaps(d.told, told) == 0 {
		d.told = nil
		return nil
	}
	d.told = told
	return fmt.Errorf(
		"%d of %d moved by more than a factor of %d at once; the last ones count until these are told again",
		moved,
		len(told),
		leap,
	)
}

// leaps counts the prices that moved by more than a leap, 0 if those are less than half.
func leaps(known, told map[place]shape.Money) int {
	both, moved := 0, 0
	for where, p := range told {
		last, ok := known[where]
		if !ok {
			continue
		}
		both++
		if p > leap*last || last > leap*p {
			moved++
		}
	}
	if 2*moved <= both {
		return 0
	}
	return moved
}
