package world

import (
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// remembered is the answer given to a client token.
type remembered struct {
	fingerprint string
	answer      any
	until       time.Time
}

// tokenLife is how long an idempotency token is kept.
const tokenLife = 24 * time.Hour

// Once gives the answer that the token got before, or makes one with act and
// remembers it. Another request under the same token is refused; a failed one
// is not remembered. An empty token means the caller wants no such promise.
func Once[T any](s *State, action, token, fingerprint string, act func() (T, error)) (T, error) {
	if token == "" {
		return act()
	}
	key := action + " " + token
	if was, ok := s.tokens[key]; ok && s.Now.Before(was.until) {
		if was.fingerprint != fingerprint {
			var none T
			return none, apierror.New("IdempotentParameterMismatch",
				"The request uses the same client token as a previous, but non-identical request.")
		}
		return was.answer.(T), nil
	}
	answer, err := act()
	if err != nil {
		return answer, err
	}
	s.tokens[key] = remembered{fingerprint, answer, s.Now.Add(tokenLife)}
	s.after(tokenLife, func() { delete(s.tokens, key) })
	return answer, nil
}
