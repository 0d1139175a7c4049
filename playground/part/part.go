// Package part holds the programs that the playground's binary can become.
//
// A part is a whole program, run as its own process of the same binary:
// "playground etcd --data-dir=..." is etcd. This package owns the table of
// them and nothing else: it does not start, order or watch processes, which
// is the business of the cluster package.
package part

// Part is one program inside the binary.
type Part struct {
	// Name is the first command line argument that selects the part.
	Name string
	// About says in one line what it is, for the help text.
	About string
	// Run is the program: it gets the arguments after the name and returns
	// the exit status. It owns the process: signals, os.Args, standard output.
	Run func(args []string) int
}

// Table lists every part.
var Table = []Part{
	{Name: "etcd", About: "the store behind the API server", Run: etcd},
	{Name: "kube-apiserver", About: "the Kubernetes API", Run: kubeAPIServer},
	{Name: "kube-scheduler", About: "binds pods to nodes", Run: kubeScheduler},
	{Name: "kube-controller-manager", About: "Kubernetes' own controllers", Run: kubeControllerManager},
	{Name: "kwok", About: "pretend kubelets", Run: kwok},
	{Name: "metrics-server", About: "what pods and nodes use, for kubectl top and autoscalers", Run: metricsServer},
	{Name: "awssim", About: "a simulated AWS", Run: simulatedAWS},
	{Name: "kubectl", About: "Kubernetes' own command line", Run: kubectl},
	{Name: "dovetail", About: "Dovetail's own command line", Run: dovetail},
}

// Find returns the part of that name.
func Find(name string) (Part, bool) {
	for _, p := range Table {
		if p.Name == name {
			return p, true
		}
	}
	return Part{}, false
}
