// Package manifest reads clusters that are written down: files and directories of manifests as
// kubectl applies and prints them, in YAML or JSON, many to a file, with Lists.
//
// It does what an API server and the controllers would have done before a scheduler sees pods: workloads become the
// pods that they still lack, requests default to limits, priorities come from their class, and claims that no server
// has seen are bound to volumes that exist. Workloads whose pods are among the manifests too are not counted twice.
// Unknown fields are errors, as they are for kubectl, and so is what the schemas and rules of our own kinds refuse;
// what a server has printed is taken as it is. Kinds that do not concern scheduling are counted in Set.Ignored. Every
// error names file, document, object and field.
package manifest
