// Package admissionoracle holds what is made of manifests offline against what a real API server and the workload
// controllers make of them.
//
// From a seed it draws namespaces with LimitRanges, RuntimeClasses, PriorityClasses and objects that have pods, of
// every kind. All of them are created for real, at once. The pods that then exist are compared, field by field and as
// the classes that the planner makes of them, with those of internal/manifest and internal/translate for the same
// objects; and what one refuses the other must refuse. Fields that no plan looks at are left out; see bare.
//
// What it draws serves the tests of playground/admitted too, which ask admission's own code in the process and are
// quicker by far, but know nothing of controllers. `make admission-oracle N=20000` runs it for so many objects.
package admissionoracle
