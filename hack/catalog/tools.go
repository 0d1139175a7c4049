//go:build tools

package main

// The module is not imported by the generator, which reads its data file
// directly: importing it would embed 96 MB. This line keeps it in go.mod.
import _ "github.com/LeanerCloud/ec2-instances-info"
