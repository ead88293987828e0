import Flow

/// Buckets and properties of groups, in `group-mod` and in the reply to `group-desc`.
extension WireReader {
    mutating func buckets(_ kind: Group.Kind, _ version: OpenFlowVersion) throws(OpenFlowError) -> [Group.Bucket] {
        var list: [Group.Bucket] = []
        var seen: Set<UInt32> = []
        while !isEmpty {
            let length = Int(u16())
            let headerSize = version >= .v15 ? 8 : 16
            if isShort || length < headerSize || length & 7 != 0 || length - 2 > remaining {
                throw OpenFlowError(.badBucket, "A bucket of \(length) bytes does not fit into its list.")
            }
            let outer = enter(length - 2)
            var scope = ActionScope(version: version, place: .bucket, context: .open)
            var b: Group.Bucket
            if version >= .v15 {
                let size = Int(u16())
                b = Group.Bucket(id: u32(), weight: kind == .select ? 1 : 0)
                if size > remaining { throw OpenFlowError(.badBucket, "The actions of a bucket are longer than the bucket.") }
                b.actions = try actions(size, &scope)
                while !isEmpty {
                    let (type, property) = try enterProperty()
                    switch type {
                    case 0: b.weight = u16()
                    case 1: b.watchPort = u32()
                    case 2: b.watchGroup = u32()
                    case 0xffff: throw OpenFlowError(.badPropertyExperimenter, "Bucket properties of experimenters are not supported.")
                    default: throw OpenFlowError(.badPropertyType, "A bucket has no property \(type).")
                    }
                    try leaveProperty(property)
                }
                if b.id > GroupMod.BucketPlace.max { throw OpenFlowError(.badBucket, "\(b.id) is not the id of a bucket.") }
                if !seen.insert(b.id).inserted { throw OpenFlowError(.badBucket, "The bucket id \(b.id) stands twice.") }
            } else {
                let weight = u16()
                b = Group.Bucket(id: UInt32(list.count), weight: weight, watchPort: u32(), watchGroup: u32())
                skip(4)
                b.actions = try actions(remaining, &scope)
            }
            if isShort { throw OpenFlowError(.badBucket, "A bucket is cut short.") }
            leave(outer)
            list.append(b)
        }
        return list
    }

    /// The properties behind the buckets from 1.5 on: Netronome's `selection_method`.
    mutating func groupProperties(_ g: inout Group) throws(OpenFlowError) {
        while !isEmpty {
            let (type, property) = try enterProperty()
            guard type == 0xffff else { throw OpenFlowError(.badPropertyType, "A group has no property \(type).") }
            let experimenter = u32()
            guard experimenter == Experimenter.netronome || experimenter == 0x1540 else {
                throw OpenFlowError(
                    .badPropertyExperimenter, "Group properties of experimenter 0x\(String(experimenter, radix: 16)) are not supported.")
            }
            guard u32() == 1 else { throw OpenFlowError(.badPropertyExperimenterType, "This group property is not supported.") }
            guard g.kind == .select else { throw OpenFlowError(.badPropertyValue, "Only select groups have a selection method.") }
            skip(4)
            let method = name(16)
            guard method == "hash" || method == "dp_hash" else {
                throw OpenFlowError(.badPropertyValue, "The selection method \(method) is not supported.")
            }
            g.selectionMethod = method
            g.selectionParameter = u64()
            g.selectionFields = []
            while !isEmpty, !isShort {
                guard let h = fieldHeader(), h.size <= remaining,
                    let i = FieldDirectory.index(oxmClass: h.oxmClass, number: h.number, experimenter: h.experimenter)
                else { throw OpenFlowError(.badMatchField, "A field to select by is not supported.") }
                g.selectionFields.append(FieldDirectory.codes[i].field)
                skip(h.size)
            }
            if !g.selectionFields.isEmpty, method != "hash" { throw OpenFlowError(.badPropertyValue, "\(method) takes no fields.") }
            try leaveProperty(property)
        }
    }
}

extension WireWriter {
    mutating func buckets(_ g: Group) {
        for b in g.buckets {
            let start = count
            u16(0)
            if version >= .v15 {
                u16(0)
                u32(b.id)
                let first = count
                actions(b.actions)
                set16(count - first, at: start + 2)
                // A bucket to insert has a weight whose group's type the message need not say.
                if g.kind == .select || b.weight != 0 {
                    property(0) {
                        $0.u16(b.weight)
                        $0.u16(0)
                    }
                }
                if b.watchPort != ReservedPort.any { property(1) { $0.u32(b.watchPort) } }
                if b.watchGroup != Group.none { property(2) { $0.u32(b.watchGroup) } }
            } else {
                u16(b.weight)
                u32(b.watchPort)
                u32(b.watchGroup)
                u32(0)
                actions(b.actions)
            }
            set16(count - start, at: start)
        }
    }

    mutating func groupProperties(_ g: Group) {
        if g.selectionMethod.isEmpty { return }
        property(0xffff) {
            $0.u32(Experimenter.netronome)
            $0.u32(1)
            $0.u32(0)
            $0.name(g.selectionMethod, 16)
            $0.u64(g.selectionParameter)
            for f in g.selectionFields {
                guard let c = FieldDirectory.code(f, $0.version) else { return $0.fail("\(f.info.name) has no number in OpenFlow.") }
                // The value is the mask under which the field is hashed.
                $0.field(c, .ones(Int(c.bits)), .ones(Int(c.bits)))
            }
        }
    }
}
