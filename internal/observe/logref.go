package observe

import "strings"

// Ref is how log lines name an object.
type Ref struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// kindKeys are the keys whose values name objects.
var kindKeys = map[string]bool{LogNode: true, LogNodeClaim: true, LogNodePool: true, LogPod: true}

// RefOf is the Ref that a text of namespace and name stands for, if the key holds objects. An empty text is none.
func RefOf(key, text string) (Ref, bool) {
	if !kindKeys[key] || text == "" {
		return Ref{}, false
	}
	namespace, name, both := strings.Cut(text, "/")
	if !both {
		return Ref{Name: text}, true
	}
	return Ref{Name: name, Namespace: namespace}, true
}
