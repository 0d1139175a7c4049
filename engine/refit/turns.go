package refit

// maxInTurns bounds how many nodes of one pool a move may give up that budgets do not let go at once. All that it
// opens is paid until the last of them has gone, and what a long row of drains was planned for is not there any more
// when its last one begins.
const maxInTurns = 10

// allowed reports whether budgets let the nodes of a set go, some of them now and the rest in their place when they are
// gone. It names the pool that does not.
func (f *fleet) allowed(set []int) (pool string, ok bool) {
	count := map[string]int{}
	for _, i := range set {
		name := f.snapshot.Nodes[i].Pool
		count[name]++
		if l := f.pools[name]; l != nil && (l.left == 0 || l.left > 0 && count[name] > max(l.left, maxInTurns)) {
			return name, false
		}
	}
	return "", true
}

// turns is in how many batches the nodes of a set go, if budgets always let as many go as now.
func (f *fleet) turns(set []int) int {
	turns := 1
	count := map[string]int{}
	for _, i := range set {
		name := f.snapshot.Nodes[i].Pool
		count[name]++
		if l := f.pools[name]; l != nil && l.left > 0 {
			turns = max(turns, (count[name]+l.left-1)/l.left)
		}
	}
	return turns
}
