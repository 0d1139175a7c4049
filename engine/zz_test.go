package engine_test
import ("testing";"fmt";"pgregory.net/rapid";"github.com/dovetail-sh/dovetail/engine/refit";"github.com/dovetail-sh/dovetail/engine/enginetest")
func TestRefitsConvergeAndNeverCostMoreZ(t *testing.T){
 rapid.Check(t, func(t *rapid.T){ f:=fleets().Draw(t,"fleet"); s:=f.snapshot
  for range 5 { r:=refit.Refit(s,f.policy)
  for _,m:=range r.Moves { 
   if err:=enginetest.CheckMove(s,m); err!=nil { fmt.Println("ERR",err, r.Counters); for _,p:=range s.Profiles {fmt.Println("PROFILE",p.Labels)}; for _,n:=range s.Nodes {fmt.Println("N",n.Name,n.Profile,n.Pool)} 
    for i,c := range s.Classes { fmt.Println("class",i,text(t,c.Labels),c.Namespace,c.Affinity,c.Spread) }
    for _,n:=range s.Nodes { fmt.Println(n.Name,n.Stage,n.Zone,n.CapacityType,n.Price,n.Pods) }
    for _,m2:=range r.Moves { fmt.Println("MOVE",m2.Remove,m2.Place); for _,o:=range m2.Open { fmt.Println("   open",o.Options,o.Pods)} }
    t.Fatal(err) }
   s=enginetest.Moved(s,m,f.pick) }
 }
 })
}
