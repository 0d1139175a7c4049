package fault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Call is what a rule looks at.
type Call struct {
	Service, Action string
	// Params gives the call's parameters by their dotted names. It is called
	// only when a rule asks for them.
	Params func() map[string]string
}

// Set holds the rules that are in force. It may be used by many at once.
type Set struct {
	seed uint64

	mu    sync.Mutex // guards the fields below
	last  int        // the number of the newest rule
	rules []*armed   // in the order they were added
}

type armed struct {
	Rule
	dice *rand.Rand
}

// NewSet makes an empty set. Equal seeds, rules and calls give equal faults.
func NewSet(seed uint64) *Set { return &Set{seed: seed} }

// Add puts a rule in force, after those that are, and returns it with its id.
func (s *Set) Add(r Rule) (Rule, error) {
	if err := r.Validate(); err != nil {
		return Rule{}, fmt.Errorf("adding a fault: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	r.ID, r.Seen, r.Hits = strconv.Itoa(s.last), 0, 0
	s.rules = append(s.rules, &armed{r, rand.New(rand.NewPCG(s.seed, uint64(s.last)))})
	return r, nil
}

// List returns the rules in the order they were added, those that have done
// their work too.
func (s *Set) List() []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		out[i] = r.Rule
	}
	return out
}

// Clear removes the named rules, or all when none is named.
func (s *Set) Clear(ids ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if !slices.ContainsFunc(s.rules, func(r *armed) bool { return r.ID == id }) {
			return fmt.Errorf("clearing fault %q: there is none with that id", id)
		}
	}
	s.rules = slices.DeleteFunc(s.rules, func(r *armed) bool { return len(ids) == 0 || slices.Contains(ids, r.ID) })
	return nil
}

// Next returns the rule that befalls a call, if any does, and counts it.
func (s *Set) Next(c Call) (Rule, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if r.done() || !r.matches(c) {
			continue
		}
		r.Seen++
		if r.Seen <= r.Skip || r.Rate > 0 && r.dice.Float64() >= r.Rate {
			continue
		}
		r.Hits++
		return r.Rule, true
	}
	return Rule{}, false
}

func (r *Rule) matches(c Call) bool {
	if !glob(r.Service, c.Service) || !glob(r.Action, c.Action) || !Applies(r.Kind, c.Service, c.Action) {
		return false
	}
	if len(r.Params) == 0 {
		return true
	}
	params := c.Params()
	for wantName, wantValue := range r.Params {
		found := false
		for name, value := range params {
			found = found || glob(wantName, name) && glob(wantValue, value)
		}
		if !found {
			return false
		}
	}
	return true
}

// glob matches a pattern, in which * is any text and ? any one byte; an empty
// one matches all.
func glob(pattern, s string) bool {
	if pattern == "" || pattern == "*" {
		return true
	}
	star, retry := -1, 0 // the last star in pattern, and where in s it stops
	at := 0
	for i := 0; i < len(s); i++ {
		switch {
		case at < len(pattern) && pattern[at] == '*':
			star, retry = at, i
			at++
			i--
		case at < len(pattern) && (pattern[at] == '?' || pattern[at] == s[i]):
			at++
		case star >= 0:
			i, at = retry, star+1
			retry++
		default:
			return false
		}
	}
	return strings.Trim(pattern[at:], "*") == ""
}
