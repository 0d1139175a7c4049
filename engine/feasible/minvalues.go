package feasible

import "github.com/dovetail-sh/dovetail/engine/bitset"

// TooFew is a wish for different values that a set of columns does not keep.
type TooFew struct {
	Key        string
	Need, Have int32
}

// Enough reports whether columns hold as many different values of each label as the pool wants a
// launch to keep, and else the first label for which they do not.
func (off *Offerings) Enough(p *Pool, columns bitset.Set) (TooFew, bool) {
	for _, v := range p.Wishes.All() {
		if v.MinValues() == 0 {
			continue
		}
		if have := off.Variety(v.Key(), columns); have < v.MinValues() {
			return TooFew{v.Key(), v.MinValues(), have}, false
		}
	}
	return TooFew{}, true
}

// Variety is how many different values of a label the columns have.
func (off *Offerings) Variety(key string, columns bitset.Set) int32 {
	n := int32(0)
	for _, with := range off.key(key).columns {
		if with.Meets(columns) {
			n++
		}
	}
	return n
}
