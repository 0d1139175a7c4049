package view

import (
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Header begins every answer in JSON. Fields are only ever added to what follows it.
type Header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Units      Units  `json:"units"`
}

// HeaderOf is that of a kind.
func HeaderOf(kind string) Header {
	return Header{APIVersion: APIVersion, Kind: kind, Units: UnitsOf()}
}

// Units say in what figures are: of all fields whose names end so, or that are of such a resource.
type Units struct {
	Price  string `json:"price"`
	CPU    string `json:"cpu"`
	Memory string `json:"memory"` // and of storage
	Time   string `json:"seconds"`
}

// UnitsOf are those of all that is printed here.
func UnitsOf() Units {
	return Units{Price: "USD/hour", CPU: "millicores", Memory: "bytes", Time: "seconds"}
}

// UnitOf is in what amounts of a resource are.
func UnitOf(resource string) string {
	switch {
	case resource == shape.CPU:
		return UnitsOf().CPU
	case resource == shape.Memory, resource == shape.Ephemeral, strings.HasPrefix(resource, "hugepages-"):
		return UnitsOf().Memory
	}
	return "count"
}
