// Package offline says what AWS sells without asking AWS: the types of the catalogue, as nodes of
// an EC2NodeClass, at the catalogue's prices.
//
// It makes the descriptions that EC2 would give and hands them to the packages that read EC2's,
// so that labels, capacity and overhead are those of the live provider. What an account alone
// knows is assumed: every zone of the region has a subnet unless the class's status says otherwise,
// nothing is sold out, the zone "us-east-1a" is the one with the first ID, and every zone has the
// average spot price of the region. Local Zones count where the class has a subnet.
package offline
