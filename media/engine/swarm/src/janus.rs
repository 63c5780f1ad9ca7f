//! Joining a Janus VideoRoom (multistream, 1.x) over Janus' HTTP API: session, handle, room, offer and answer, events by long poll.

use serde_json::{json, Value};

use crate::door::{Describe, Dialogue, Step};
use crate::http::{Request, Response};

const JSON: &str = "application/json";
/// The room's number is taken: somebody made it before us.
const ROOM_EXISTS: i64 = 427;
/// Long polls without what we wait for before giving up.
const PATIENCE: u32 = 20;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    Publisher,
    /// Takes at most so many of the room's publishers.
    Viewer {
        feeds: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Waiting {
    Nothing,
    Session,
    Handle,
    Room,
    Participants,
    /// For an acknowledgement, then for the event that carries a description.
    Ack,
    Event,
    Started,
}

pub struct Janus {
    url: String,
    role: Role,
    room: u64,
    codec: &'static str,
    session: Option<u64>,
    handle: u64,
    waiting: Waiting,
    polls: u32,
}

impl Janus {
    /// `codec` as VideoRoom names it; publishers make the room if it is not there.
    pub fn new(url: String, role: Role, room: u64, codec: &'static str) -> Janus {
        Janus { url, role, room, codec, session: None, handle: 0, waiting: Waiting::Nothing, polls: 0 }
    }

    fn path(&self) -> String {
        let session = self.session.map(|id| format!("/{id}")).unwrap_or_default();
        if self.handle == 0 {
            format!("{}{session}", self.url)
        } else {
            format!("{}{session}/{}", self.url, self.handle)
        }
    }

    fn ask(&mut self, waiting: Waiting, mut message: Value) -> Result<Step, String> {
        self.waiting = waiting;
        message["transaction"] = json!("swarm");
        Ok(Step::Ask(Request { method: "POST", url: self.path(), token: None, kind: JSON, body: message.to_string() }))
    }

    fn poll(&mut self) -> Result<Step, String> {
        self.waiting = Waiting::Event;
        self.polls += 1;
        if self.polls > PATIENCE {
            return Err("janus no event with a description".into());
        }
        let url = format!("{}/{}?maxev=1", self.url, self.session.unwrap_or_default());
        Ok(Step::Ask(Request { method: "GET", url, ..Request::default() }))
    }

    fn send(&mut self, waiting: Waiting, body: Value, jsep: Option<(&str, String)>) -> Result<Step, String> {
        let mut message = json!({"janus": "message", "body": body});
        if let Some((kind, sdp)) = jsep {
            message["jsep"] = json!({"type": kind, "sdp": sdp});
        }
        self.ask(waiting, message)
    }

    fn join(&mut self, peer: &mut dyn Describe) -> Result<Step, String> {
        let body = json!({"request": "joinandconfigure", "room": self.room, "ptype": "publisher"});
        let offer = peer.offer()?;
        self.send(Waiting::Ack, body, Some(("offer", offer)))
    }

    fn subscribe(&mut self, said: &Value, feeds: usize) -> Result<Step, String> {
        let people = said["participants"].as_array().ok_or("janus no participants")?;
        let publishers = people.iter().filter(|p| p["publisher"] == true).take(feeds);
        let streams: Vec<Value> = publishers.map(|p| json!({"feed": p["id"]})).collect();
        if streams.is_empty() {
            return Err("janus nobody to watch".into());
        }
        self.send(Waiting::Ack, json!({"request": "join", "room": self.room, "ptype": "subscriber", "streams": streams}), None)
    }

    fn take_event(&mut self, event: &Value, peer: &mut dyn Describe) -> Result<Step, String> {
        let Some(sdp) = event["jsep"]["sdp"].as_str() else { return self.poll() };
        match (self.role, event["jsep"]["type"].as_str()) {
            (Role::Publisher, Some("answer")) => {
                peer.take_answer(sdp).map_err(|e| format!("sdp {e}"))?;
                Ok(Step::Done)
            }
            (Role::Viewer { .. }, Some("offer")) => {
                let answer = peer.answer(sdp).map_err(|e| format!("sdp {e}"))?;
                self.send(Waiting::Started, json!({"request": "start", "room": self.room}), Some(("answer", answer)))
            }
            (_, kind) => Err(format!("janus unexpected description {kind:?}")),
        }
    }
}

impl Dialogue for Janus {
    fn next(&mut self, response: Option<&Response>, peer: &mut dyn Describe) -> Result<Step, String> {
        let Some(response) = response else { return self.ask(Waiting::Session, json!({"janus": "create"})) };
        let message: Value = serde_json::from_str(&response.body).map_err(|e| format!("janus {e}"))?;
        let said = &message["plugindata"]["data"];
        let refused = said["error_code"].as_i64().filter(|code| *code != ROOM_EXISTS);
        if message["janus"] == "error" || refused.is_some() {
            return Err(format!("janus {} {}", message["error"]["reason"], said["error"]));
        }
        let id = message["data"]["id"].as_u64();
        match (self.waiting, id, self.role) {
            (Waiting::Session, Some(id), _) => {
                self.session = Some(id);
                self.ask(Waiting::Handle, json!({"janus": "attach", "plugin": "janus.plugin.videoroom"}))
            }
            (Waiting::Handle, Some(id), Role::Publisher) => {
                self.handle = id;
                let body = json!({
                    "request": "create", "room": self.room, "publishers": 1000, "bitrate": 100_000_000, "fir_freq": 0,
                    "audiocodec": "opus", "videocodec": self.codec, "notify_joining": false,
                });
                self.send(Waiting::Room, body, None)
            }
            (Waiting::Handle, Some(id), Role::Viewer { .. }) => {
                self.handle = id;
                self.send(Waiting::Participants, json!({"request": "listparticipants", "room": self.room}), None)
            }
            (Waiting::Room, _, _) => self.join(peer),
            (Waiting::Participants, _, Role::Viewer { feeds }) => self.subscribe(said, feeds),
            (Waiting::Ack, _, _) => self.poll(),
            (Waiting::Event, _, _) => self.take_event(&message, peer),
            (Waiting::Started, _, _) => Ok(Step::Done),
            (waiting, _, _) => Err(format!("janus {waiting:?}: not understood")),
        }
    }

    fn keep_alive(&mut self) -> Option<Request> {
        let url = format!("{}/{}", self.url, self.session?);
        let body = json!({"janus": "keepalive", "transaction": "swarm"}).to_string();
        Some(Request { method: "POST", url, token: None, kind: JSON, body })
    }

    fn leave(&mut self) -> Option<Request> {
        let url = format!("{}/{}", self.url, self.session.take()?);
        let body = json!({"janus": "destroy", "transaction": "swarm"}).to_string();
        Some(Request { method: "POST", url, token: None, kind: JSON, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::tests::Listener;

    /// Answers in turn; returns the requests (path, body).
    fn talk(door: &mut Janus, peer: &mut Listener, answers: &[Value]) -> Result<Vec<(String, Value)>, String> {
        let mut asked = Vec::new();
        let mut answers = answers.iter();
        let mut response: Option<Response> = None;
        while let Step::Ask(request) = door.next(response.as_ref(), peer)? {
            assert!(request.url.starts_with("http://j/janus"));
            let path = request.url["http://j/janus".len()..].to_string();
            asked.push((path, serde_json::from_str(&request.body).unwrap_or(Value::Null)));
            let body = answers.next().expect("no more is asked").to_string();
            response = Some(Response { status: 200, location: None, body });
        }
        assert_eq!(answers.next(), None);
        Ok(asked)
    }

    fn success(id: u64) -> Value {
        json!({"janus": "success", "transaction": "swarm", "data": {"id": id}})
    }

    fn plugin(kind: &str, data: Value) -> Value {
        json!({"janus": kind, "session_id": 11, "sender": 22, "plugindata": {"plugin": "janus.plugin.videoroom", "data": data}})
    }

    fn described(data: Value, kind: &str) -> Value {
        let mut event = plugin("event", data);
        event["jsep"] = json!({"type": kind, "sdp": format!("their {kind}")});
        event
    }

    #[test]
    fn a_publisher_makes_the_room_offers_and_waits_for_the_answer() {
        let (mut door, mut peer) = (Janus::new("http://j/janus".into(), Role::Publisher, 77, "vp8"), Listener::default());
        let answers = [
            success(11),
            success(22),
            plugin("success", json!({"videoroom": "event", "error_code": 427, "error": "Room 77 already exists"})),
            json!({"janus": "ack", "session_id": 11}),
            json!({"janus": "keepalive"}),
            described(json!({"videoroom": "joined", "room": 77, "id": 5, "publishers": []}), "answer"),
        ];
        let asked = talk(&mut door, &mut peer, &answers).unwrap();
        let paths: Vec<&str> = asked.iter().map(|a| a.0.as_str()).collect();
        assert_eq!(paths, ["", "/11", "/11/22", "/11/22", "/11?maxev=1", "/11?maxev=1"]);
        assert_eq!((&asked[2].1["body"]["room"], &asked[2].1["body"]["videocodec"]), (&json!(77), &json!("vp8")));
        assert_eq!((&asked[3].1["body"]["request"], &asked[3].1["jsep"]["sdp"]), (&json!("joinandconfigure"), &json!("my offer")));
        assert_eq!(peer.heard, ["their answer"]);
        assert!(door.keep_alive().unwrap().body.contains("keepalive"));
        assert!(door.leave().unwrap().body.contains("destroy") && door.leave().is_none());
    }

    #[test]
    fn a_viewer_takes_the_rooms_publishers_and_answers_the_offer() {
        let (mut door, mut peer) = (Janus::new("http://j/janus".into(), Role::Viewer { feeds: 2 }, 77, "vp8"), Listener::default());
        let people = json!([{"id": 1, "publisher": false}, {"id": 5, "publisher": true}, {"id": 6, "publisher": true}, {"id": 7, "publisher": true}]);
        let answers = [
            success(11),
            success(22),
            plugin("success", json!({"videoroom": "participants", "room": 77, "participants": people})),
            json!({"janus": "ack"}),
            described(json!({"videoroom": "attached", "room": 77}), "offer"),
            json!({"janus": "ack"}),
        ];
        let asked = talk(&mut door, &mut peer, &answers).unwrap();
        assert_eq!(asked[3].1["body"]["streams"], json!([{"feed": 5}, {"feed": 6}]));
        assert_eq!(
            (&asked[5].1["body"]["request"], &asked[5].1["jsep"]),
            (&json!("start"), &json!({"type": "answer", "sdp": "my answer"}))
        );
        assert_eq!(peer.heard, ["their offer"]);
    }

    #[test]
    fn every_refusal_ends_the_join() {
        let errors = [
            vec![json!({"janus": "error", "error": {"code": 403, "reason": "Unauthorized request"}})],
            vec![success(11), success(22), plugin("success", json!({"error_code": 426, "error": "No such room"}))],
            vec![success(11), success(22), plugin("success", json!({"participants": []}))],
            vec![success(11), success(22), json!("?")],
            vec![json!({"janus": "success"})],
        ];
        for answers in errors {
            let (mut door, mut peer) = (Janus::new("http://j/janus".into(), Role::Viewer { feeds: 1 }, 77, "vp8"), Listener::default());
            assert!(talk(&mut door, &mut peer, &answers).unwrap_err().starts_with("janus "), "{answers:?}");
        }
        let (mut door, mut peer) = (Janus::new("http://j/janus".into(), Role::Publisher, 77, "vp8"), Listener::default());
        let mut endless = vec![success(11), success(22), success(0), json!({"janus": "ack"})];
        endless.resize(endless.len() + PATIENCE as usize, json!({"janus": "keepalive"}));
        assert!(talk(&mut door, &mut peer, &endless).unwrap_err().contains("no event"));
    }
}
