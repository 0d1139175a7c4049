package health

// remembered is how many outcomes count, and tooMany how many failures among them are too many. Karpenter's figures.
const (
	remembered = 4
	tooMany    = 2
)

// ring holds the last outcomes, the oldest first: true for a node that joined.
type ring struct{ outcomes []bool }

func (r *ring) add(joined bool) {
	r.outcomes = append(r.outcomes, joined)
	if len(r.outcomes) > remembered {
		r.outcomes = r.outcomes[1:]
	}
}

// state of a pool.
type state int

const (
	unknown state = iota // too little was seen
	healthy
	failing
)

func (r *ring) state() state {
	failures := 0
	for _, joined := range r.outcomes {
		if !joined {
			failures++
		}
	}
	switch {
	case failures >= tooMany:
		return failing
	case failures < len(r.outcomes):
		return healthy
	default:
		return unknown
	}
}
