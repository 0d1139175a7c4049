package mirror

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

func (p *picture) putNode(n *corev1.Node) Change {
	if translate.Planned(n) {
		p.reserved[n.Name] = struct{}{}
	} else {
		delete(p.reserved, n.Name)
	}
	touched := p.facts.PutNode(n)
	if touched.Machines == nil {
		return 0 // a heartbeat
	}
	return p.rejoined(touched) | Room
}

func (p *picture) dropNode(name string) Change {
	if p.facts.Node(name) == nil {
		return 0
	}
	delete(p.reserved, name)
	change := p.rejoined(p.facts.DropNode(name)) | Room
	p.cancelToward(name)
	return change
}

func (p *picture) dropClaim(name string) Change {
	if p.facts.Claim(name) == nil {
		return 0
	}
	change := p.rejoined(p.facts.DropClaim(name)) | Room
	p.cancelToward(name)
	return change
}

// rejoined puts the pods that name what has changed where they belong now.
func (p *picture) rejoined(touched objects.Touched) (change Change) {
	for name := range touched.Machines {
		p.dirty[name] = struct{}{}
		if p.facts.Machine(name) == nil {
			change |= p.close(name)
		}
	}
	for _, names := range []map[string]struct{}{touched.Machines, touched.Claims} {
		for name := range names {
			if at := p.facts.Machine(name); at != nil && at.Claim != nil {
				change |= p.replace(at.Claim.Name)
			}
			change |= p.replace(name)
		}
	}
	return change
}

// close removes a machine of which nothing is left. Its pods are placed anew.
func (p *picture) close(name string) (change Change) {
	left := p.held[name]
	delete(p.held, name)
	for id := range left {
		p.facts.Pods[id].Place = ""
	}
	p.undisplace(name)
	p.sheet.DropNode(name)
	for id := range left {
		change |= p.place(id, p.facts.Pods[id])
	}
	return change
}

// undisplace takes back the pods that a leaving machine had put up for placing.
func (p *picture) undisplace(name string) {
	for _, d := range p.sheet.View(name).Displaced {
		if have, ok := p.sheet.Waiting()[d.ID]; ok && have.From == d.From {
			p.placed(d.ID)
		}
	}
}
