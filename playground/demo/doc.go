// Package demo plays tutorials on a playground cluster and tells what happens.
//
// It is a user: it applies the tutorials' manifests, scales Deployments, and looks at
// nodes and claims through the API server. It never reaches into Dovetail or the
// simulator, so what it shows is what anybody would see, and a step counts only when
// the cluster says that it came true.
package demo
