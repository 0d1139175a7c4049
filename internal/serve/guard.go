package serve

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/kubernetes"
)

// asked is how often whoever reads a stream is asked for anew: with remembered it ends within a minute after a token is
// revoked.
const asked = 30 * time.Second

// Right is something that callers must be allowed to do with the Kubernetes API, in all namespaces.
type Right struct{ Verb, Group, Resource string }

// Viewer are the rights of those who may see the fleet and what waits.
func Viewer() []Right {
	return []Right{{Verb: "list", Resource: "nodes"}, {Verb: "list", Resource: "pods"}}
}

// Guard lets requests through to next that read, whose bearer token the API server knows, and whose user has all of
// the rights. Whoever is refused gets one line that says why: 405, 400 for a token in the address, 401, 403 with the
// right that is missing, or 503 while the API server does not answer. The context of a request ends within a minute
// after its user may no longer read, so that streams do not outlive a token. next never sees the token.
func Guard(kube kubernetes.Interface, rights []Right, next http.Handler) http.Handler {
	return &guard{gate: newGate(kube), rights: rights, next: next}
}

type guard struct {
	gate   *gate
	rights []Right
	next   http.Handler
}

// refusal is why a request is not let through.
type refusal struct {
	code int
	why  string
}

// ServeHTTP lets a request through or refuses it.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	no := sound(r)
	token := bearer(r)
	if no == nil {
		no = g.admit(r.Context(), token)
	}
	if no != nil {
		no.write(w)
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	go g.watch(ctx, stop, token)
	passed := r.WithContext(ctx)
	passed.Header = r.Header.Clone()
	passed.Header.Del("Authorization")
	g.next.ServeHTTP(w, passed)
}

// sound refuses what is no reading, or shows its token to logs and histories.
func sound(r *http.Request) *refusal {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &refusal{http.StatusMethodNotAllowed, "this can only be read: use GET"}
	}
	query := r.URL.Query()
	if query.Has("token") || query.Has("access_token") {
		return &refusal{http.StatusBadRequest,
			`a token does not belong in an address; send it as "Authorization: Bearer TOKEN"`}
	}
	return nil
}

// admit asks who calls, and whether they may.
func (g *guard) admit(ctx context.Context, token string) *refusal {
	const silent = "the API server does not say %s just now; try again"
	who, err := g.gate.user(ctx, token)
	if err != nil {
		return &refusal{http.StatusServiceUnavailable, fmt.Sprintf(silent, "who you are")}
	}
	if who == nil {
		return &refusal{http.StatusUnauthorized,
			"want a token that the cluster knows: send \"Authorization: Bearer TOKEN\", " +
				"such as one of kubectl create token"}
	}
	for _, right := range g.rights {
		allowed, err := g.gate.allowed(ctx, who, right)
		if err != nil {
			return &refusal{http.StatusServiceUnavailable, fmt.Sprintf(silent, "what you may do")}
		}
		if !allowed {
			return &refusal{http.StatusForbidden,
				fmt.Sprintf("%s may not %s %s in all namespaces; bind a ClusterRole that allows it",
					who.Username, right.Verb, right.Resource)}
		}
	}
	return nil
}

// watch asks again while a request is being answered, and ends it once it would be refused. An API server that does not
// answer ends nothing.
func (g *guard) watch(ctx context.Context, end context.CancelFunc, token string) {
	ticker := time.NewTicker(asked)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if no := g.admit(ctx, token); no != nil && no.code != http.StatusServiceUnavailable {
			end()
			return
		}
	}
}

func (f *refusal) write(w http.ResponseWriter) {
	switch f.code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="dovetail"`)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", "GET, HEAD")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	http.Error(w, f.why, f.code)
}
