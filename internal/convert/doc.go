// Package convert rewrites files for older releases of Karpenter: Provisioner, AWSNodeTemplate, the v1beta1 kinds, Helm
// values since 0.16, and the names that workloads use. What comes out is of the versions that are served now.
//
// Nothing is lost without a word. Every field of an old object is either written into a new one or a Problem that names
// file, line, object and field; a field that no release had is a Problem, too. Documents that hold nothing old pass as
// they are, byte for byte, so that a second run changes nothing. Nothing is read here but what is given.
package convert
