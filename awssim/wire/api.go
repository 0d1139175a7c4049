package wire

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// API is one of AWS's services: how its calls are told from others', and what
// it does with them. Each package of a service makes one; nothing else knows
// which services there are.
type API struct {
	// Name is the service's, as signatures and IAM policies spell it.
	Name string
	// Version is the API version that query calls carry, and Namespace that of
	// their answers' XML; empty where the service speaks no query protocol.
	Version, Namespace string
	// Target is what X-Amz-Target begins with, without the version after "_";
	// empty where the service does not speak JSON by target.
	Target string
	// Routes name the action of each method and path of a REST service, such as
	// "GET /clusters/{name}"; nil for all others.
	Routes map[string]string
	// Actions are those that are simulated, by AWS's names.
	Actions Service
}

// Names lists the actions that are simulated, ascending.
func (a API) Names() []string { return slices.Sorted(maps.Keys(a.Actions)) }

// protocol is how the service's query calls are encoded.
func (a API) protocol() protocol {
	if a.Name == EC2 {
		return ec2Query
	}
	return awsQuery
}

// router finds the action of a REST call.
type router struct {
	api   API
	paths *http.ServeMux // nil without routes
}

func newRouter(api API) router {
	if len(api.Routes) == 0 {
		return router{api: api}
	}
	paths := http.NewServeMux()
	for pattern, action := range api.Routes {
		var names []string
		for part := range strings.SplitSeq(pattern, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				names = append(names, strings.TrimRight(name, ".}"))
			}
		}
		paths.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			out := w.(*route)
			out.action, out.path = action, map[string]string{}
			for _, name := range names {
				out.path[name] = r.PathValue(name)
			}
		})
	}
	return router{api, paths}
}

// find returns what a request asks of the service; no action when it has none
// of that path.
func (r router) find(request *http.Request) route {
	var out route
	if r.paths != nil {
		r.paths.ServeHTTP(&out, request)
	}
	return out
}

// route is what a path means. It stands where net/http hands a handler the
// answer; what is written there goes nowhere.
type route struct {
	action string
	path   map[string]string // what the path names, by AWS's parameter name
}

func (*route) Header() http.Header         { return http.Header{} }
func (*route) WriteHeader(int)             {}
func (*route) Write(p []byte) (int, error) { return len(p), nil }
