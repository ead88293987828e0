// Group lines: `group add group_id=1,type=select,bucket=…,bucket=…`.
extension FlowTextParser {
    private enum Command { case add, modify, delete }

    mutating func readGroupLine(_ line: TextSlice) throws(TextFault) {
        var command = Command.add
        var rest = line
        var end = line.start
        while end < line.end, !TextSlice.isSeparator(line[end]) { end &+= 1 }
        let word = line.upTo(end)
        if word.equals("add") || word.equals("add_or_mod") {
            rest = line.from(end)
        } else if word.equals("modify") {
            (command, rest) = (.modify, line.from(end))
        } else if word.equals("delete") {
            (command, rest) = (.delete, line.from(end))
        } else if word.equals("insert_bucket") || word.equals("remove_bucket") {
            throw TextFault(word, "Changing single buckets is not supported yet; modify the whole group.")
        } else if word.hasPrefix("NXST_GROUP_DESC") || word.hasPrefix("OFPST_GROUP_DESC") {
            return
        }
        let (head, buckets) = Self.divideBuckets(rest)
        var group = Group(id: 0, kind: .all)
        var id: UInt32?
        var kind: Group.Kind?
        var isAll = command == .delete && head.trimmed.isEmpty
        var fieldsAt: TextSlice?
        var parameterAt: TextSlice?
        var left = head
        while let kv = try left.nextKeyValue() {
            let v = kv.value
            if kv.key.equals("group_id") {
                if v.equals("all") {
                    guard command == .delete else { throw TextFault(v, "Only delete takes all groups at once.") }
                    isAll = true
                } else {
                    let n = try v.number32("group_id")
                    guard n <= Group.max else { throw TextFault(v, "Groups are numbered from 0 to \(Group.max).") }
                    id = n
                }
            } else if command == .delete {
                throw TextFault(kv.key, "Deleting a group takes its group_id only.")
            } else if kv.key.equals("type") {
                if v.equals("ff") {
                    kind = .fastFailover
                } else {
                    kind = Group.Kind.allCases.first { $0.rawValue.utf8.elementsEqual(v.bytes) }
                }
                guard kind != nil else {
                    let all = Group.Kind.allCases.map(\.rawValue)
                    throw TextFault(v, "A group's type is one of \(all.joined(separator: ", ")).", suggestion: nearest(to: v, among: all))
                }
            } else if kv.key.equals("selection_method") {
                guard v.equals("hash") || v.equals("dp_hash") else { throw TextFault(v, "The selection method is hash or dp_hash.") }
                group.selectionMethod = v.text
            } else if kv.key.equals("selection_method_param") {
                group.selectionParameter = try v.number64("selection_method_param")
                parameterAt = kv.key
            } else if kv.key.equals("fields") {
                fieldsAt = kv.key
                try readSelectionFields(v, &group)
            } else {
                let all = ["group_id", "type", "bucket", "selection_method", "selection_method_param", "fields"]
                throw TextFault(kv.key, "This is not an attribute of a group.", suggestion: nearest(to: kv.key, among: all))
            }
        }
        if command == .delete {
            if let first = buckets.first { throw TextFault(first, "Deleting a group takes its group_id only.") }
            guard isAll || id != nil else { throw TextFault(line, "Name the group: group_id=… or group_id=all.") }
            add(.deleteGroup(isAll ? nil : id))
            return
        }
        guard let id else { throw TextFault(line, "A group needs group_id=….") }
        guard let kind else { throw TextFault(line, "A group needs type=….") }
        group.id = id
        group.kind = kind
        if let fieldsAt, group.selectionMethod != "hash" { throw TextFault(fieldsAt, "fields stand only with selection_method=hash.") }
        if let parameterAt, group.selectionMethod.isEmpty {
            throw TextFault(parameterAt, "selection_method_param stands only with a selection_method.")
        }
        if !group.selectionMethod.isEmpty, kind != .select { throw TextFault(line, "Only select groups have a selection_method.") }
        guard buckets.count <= FlowTextLimits.actions else { throw TextFault(line, "A group has at most \(FlowTextLimits.actions) buckets.") }
        // Buckets named by the file keep their numbers; the others take the lowest free ones, in order.
        var taken: Set<UInt32> = []
        var unnamed: [Int] = []
        for text in buckets {
            let bucket = try readBucket(text, kind)
            if let named = bucket.named {
                guard taken.insert(named).inserted else { throw TextFault(text, "Two buckets have the bucket_id \(named).") }
            } else {
                unnamed.append(group.buckets.count)
            }
            group.buckets.append(bucket.bucket)
        }
        var next: UInt32 = 0
        for i in unnamed {
            while taken.contains(next) { next += 1 }
            group.buckets[i].id = next
            next += 1
        }
        if kind == .indirect, buckets.count > 1 { throw TextFault(buckets[1], "An indirect group has one bucket.") }
        definedGroups.insert(id)
        add(command == .add ? .addGroup(group) : .modifyGroup(group))
    }

    private mutating func add(_ modification: FlowModification) {
        result.modifications.append(modification)
        result.lines.append(UInt32(truncatingIfNeeded: lineNumber))
    }

    /// What stands before the first `bucket=`, and what stands behind each.
    private static func divideBuckets(_ text: TextSlice) -> (head: TextSlice, buckets: [TextSlice]) {
        var marks: [Int] = []
        var i = text.start
        while i + 7 <= text.end {
            if text[i] == 0x62, text.from(i).hasPrefix("bucket="), i == text.start || TextSlice.isSeparator(text[i - 1]) {
                marks.append(i)
                i += 7
            } else {
                i += 1
            }
        }
        guard let first = marks.first else { return (text, []) }
        var buckets: [TextSlice] = []
        for (n, mark) in marks.enumerated() {
            buckets.append(text.between(mark + 7, n + 1 < marks.count ? marks[n + 1] : text.end))
        }
        return (text.upTo(first), buckets)
    }

    private func readSelectionFields(_ text: TextSlice, _ group: inout Group) throws(TextFault) {
        var rest = text
        while let kv = try rest.nextKeyValue() {
            let code = fieldNames.code(kv.key)
            guard code >= FlowWord.port16 else {
                throw TextFault(kv.key, "This is not a field.", suggestion: nearest(to: kv.key, among: FieldDirectory.fieldSuggestions))
            }
            guard kv.value.isEmpty else { throw TextFault(kv.value, "Masks of the fields to hash are not supported yet.") }
            let field: Field = code == FlowWord.port16 ? .inPort : shapes[Int(code - FlowWord.fieldBase)].field
            guard !group.selectionFields.contains(field) else { throw TextFault(kv.key, "This field is named twice.") }
            group.selectionFields.append(field)
        }
    }

    private mutating func readBucket(_ text: TextSlice, _ kind: Group.Kind) throws(TextFault) -> (bucket: Group.Bucket, named: UInt32?) {
        var bucket = Group.Bucket(id: 0, weight: kind == .select ? 1 : 0)
        var named: UInt32?
        var sawActions = false
        var actionsStart: Int?
        var rest = text
        // Attributes come first; from the first action on the rest of the bucket is actions, `actions=` before them or not.
        while actionsStart == nil {
            let before = rest.start
            guard let kv = try rest.nextKeyValue() else { break }
            let v = kv.value
            if kv.key.equals("weight", foldingCase: true) {
                bucket.weight = try v.number16("weight")
                if kind != .select, bucket.weight != 0 { throw TextFault(kv.key, "Only buckets of select groups have a weight.") }
            } else if kv.key.equals("watch_port", foldingCase: true) {
                guard let p = v.port, p < 0xff00 || p == ReservedPort.any || p == ReservedPort.controller else {
                    throw TextFault(v, "watch_port is a numbered port or ANY.")
                }
                bucket.watchPort = p
            } else if kv.key.equals("watch_group", foldingCase: true) {
                let g = try v.number32("watch_group")
                guard g <= Group.max else { throw TextFault(v, "Groups are numbered from 0 to \(Group.max).") }
                bucket.watchGroup = g
                noteGroupUse(g, at: v)
            } else if kv.key.equals("bucket_id", foldingCase: true) {
                let n = try v.number32("bucket_id")
                guard n <= Group.max else { throw TextFault(v, "Buckets are numbered from 0 to \(Group.max).") }
                named = n
                bucket.id = n
            } else if kv.key.equals("actions", foldingCase: true) || kv.key.equals("action", foldingCase: true) {
                sawActions = true
                actionsStart = v.start
            } else {
                sawActions = true
                actionsStart = max(before, kv.key.start)
            }
        }
        guard sawActions, let actionsStart else { throw TextFault(text, "A bucket needs actions=….") }
        if kind == .fastFailover, bucket.watchPort == ReservedPort.any, bucket.watchGroup == Group.none {
            throw TextFault(text, "A bucket of a fast_failover group needs watch_port or watch_group.")
        }
        var state = ActionState(PacketContext())
        bucket.actions = try readActions(text.from(actionsStart), .bucket, &state)
        return (bucket, named)
    }
}
