package translate

// index finds entries of a table by digests; several may have the same one. Entries are numbered as they are added.
type index struct {
	newest map[uint64]int32 // the last entry of each digest
	older  []int32          // by entry: another one of the same digest, -1 for none
}

func newIndex() index { return index{newest: map[uint64]int32{}} }

// first is the last entry that was added with a digest, -1 if there is none. Those before it follow with next.
func (x *index) first(sum uint64) int32 {
	if i, found := x.newest[sum]; found {
		return i
	}
	return -1
}

func (x *index) next(entry int32) int32 { return x.older[entry] }

// add numbers another entry.
func (x *index) add(sum uint64) int32 {
	i := int32(len(x.older))
	x.older = append(x.older, x.first(sum))
	x.newest[sum] = i
	return i
}

// forget makes first find nothing of what is there.
func (x *index) forget() { clear(x.newest) }
