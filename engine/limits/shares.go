package limits

// Shares divides what a pool may still grow by among nodes that are going to be launched. Each of them has what its
// smallest option takes for certain, and may be launched from larger ones as far as its share goes: an equal part of
// what is left over, so that what one does not need goes to those after it.
//
// Invariant: whatever options are kept, the largest of all of them together take no more than the pool may grow by,
// unless it was over its limit before.
type Shares struct {
	left  []int64 // by limit: what no node has yet; negative where the pool is over its limit
	nodes int     // that have no share yet
}

// NewShares is nodes of a pool that may grow by so much of each limit, beyond what those nodes have for certain.
func NewShares(left []int64, nodes int) *Shares { return &Shares{left, nodes} }

// Most is how much of a limit the next node may take, that has so much for certain.
func (s *Shares) Most(limit int, certain int64) int64 {
	return certain + max(s.left[limit], 0)/int64(s.nodes)
}

// Grow has the next node take so much of a limit at most, that has so much for certain.
func (s *Shares) Grow(limit int, certain, most int64) { s.left[limit] -= max(most-certain, 0) }

// Drop gives back what the next node had of a limit for certain: it is not launched.
func (s *Shares) Drop(limit int, certain int64) { s.left[limit] += certain }

// Next goes on to the node after the next one.
func (s *Shares) Next() { s.nodes-- }
