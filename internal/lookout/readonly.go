package lookout

import (
	"fmt"
	"net/http"

	"k8s.io/client-go/rest"
)

// ReadOnly is how a server is spoken to by who must not change anything there: what is more than reading is refused
// before it is sent.
func ReadOnly(kube *rest.Config) *rest.Config {
	out := rest.CopyConfig(kube)
	out.Wrap(func(next http.RoundTripper) http.RoundTripper { return reader{next} })
	return out
}

type reader struct{ http.RoundTripper }

// RoundTrip passes on GET and HEAD, which lists and watches are too.
func (r reader) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		return nil, fmt.Errorf("%s %s would write, and this only reads", request.Method, request.URL.Path)
	}
	return r.RoundTripper.RoundTrip(request)
}
